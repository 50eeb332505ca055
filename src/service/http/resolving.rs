//! Sessions as what an id in a request names.

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
    service::{registry::sessions::Sessions, session::handle::SessionHandle},
};

type Found<L> = Result<Option<SessionHandle<L>>, Unavailable>;

/// A session that is looked for: at once where it is in memory, otherwise while it is restored.
pub struct Resolving<L: EventLog>(State<L>);

enum State<L: EventLog> {
    Here(Option<SessionHandle<L>>),
    Restoring(Pin<Box<dyn Future<Output = Found<L>> + Send>>),
}

impl<L: EventLog> Resolve for Sessions<L> {
    type Value = SessionHandle<L>;
    type Future = Resolving<L>;

    /// The session of this id, if the request's `Principal` may see it. One that is stored is restored.
    fn resolve(&self, id: &str, request: &Parts) -> Resolving<L> {
        let caller = request.extensions.get::<Principal>().map(|principal| &*principal.name);
        Resolving(match self.in_memory(id) {
            None if self.persistence().is_some() => {
                let (sessions, id, caller) = (self.clone(), id.to_owned(), caller.map(str::to_owned));
                State::Restoring(Box::pin(async move {
                    sessions.find(&id, caller.as_deref()).await.map_err(Into::into)
                }))
            }
            here => State::Here(here.and_then(|session| session.visible_to(caller))),
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
