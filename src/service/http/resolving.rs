//! [`Resolve`] for [`Sessions`]: how a lookup layer finds a session.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::request::Parts;

use crate::{
    layers::{
        auth::Principal,
        lookup::{Resolve, Unavailable},
        resume::EventLog,
    },
    service::{handle::SessionHandle, registry::sessions::Sessions},
};

type Found<L> = Result<Option<SessionHandle<L>>, Unavailable>;

/// The future of a session lookup: ready at once if the session is in memory, otherwise it restores the
/// session.
pub struct Resolving<L: EventLog>(State<L>);

enum State<L: EventLog> {
    Here(Option<SessionHandle<L>>),
    Restoring(Pin<Box<dyn Future<Output = Found<L>> + Send>>),
}

impl<L: EventLog> Resolve for Sessions<L> {
    type Value = SessionHandle<L>;
    type Future = Resolving<L>;

    /// Finds the session with this id, if the request's `Principal` owns it. A stored session is restored.
    fn resolve(&self, id: &str, request: &Parts) -> Resolving<L> {
        let caller = request.extensions.get::<Principal>().map(|principal| &*principal.name);
        Resolving(match self.in_memory(id) {
            None if self.persistence().is_some() => {
                let (sessions, id, caller) = (self.clone(), id.to_owned(), caller.map(str::to_owned));
                State::Restoring(Box::pin(async move {
                    sessions.find(&id, caller.as_deref()).await.map_err(Into::into)
                }))
            }
            _ => State::Here(self.get(id, caller)),
        })
    }
}

impl<L: EventLog> Future for Resolving<L> {
    type Output = Found<L>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Found<L>> {
        match &mut self.0 {
            State::Here(session) => Poll::Ready(Ok(session.take())),
            State::Restoring(restoring) => restoring.as_mut().poll(cx),
        }
    }
}

impl<L: EventLog> fmt::Debug for Resolving<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolving").finish_non_exhaustive()
    }
}
