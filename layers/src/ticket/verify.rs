use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use http::request::Parts;
use pin_project_lite::pin_project;

use super::{Grant, Presented, StoreError, TicketStore, store::digest};
use crate::auth::{Denied, Principal, Verify};

/// Maximum length of a ticket that is looked up; tickets have 64 characters.
const LONGEST: usize = 128;

/// Verifies the tickets of [`Tickets`](super::Tickets).
#[derive(Clone)]
pub struct TicketVerifier<S, F> {
    store: S,
    resource: F,
}

impl<S, F> TicketVerifier<S, F> {
    pub(super) fn new(store: S, resource: F) -> Self {
        Self { store, resource }
    }
}

impl<S, F> Verify for TicketVerifier<S, F>
where
    S: TicketStore,
    F: Fn(&Parts) -> Option<String>,
{
    type Principal = Principal;
    type Future = VerifyFuture<S::Get>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        let Some(presented) = parts.extensions.get::<Presented>() else {
            return VerifyFuture::new(State::Refused { denied: Denied::Missing });
        };
        let ticket = presented.ticket().filter(|ticket| ticket.len() <= LONGEST);
        match ticket.zip((self.resource)(parts)) {
            Some((ticket, resource)) => {
                VerifyFuture::new(State::Looking { grant: self.store.get(digest(ticket)), resource })
            }
            None => VerifyFuture::new(State::Refused { denied: Denied::Invalid }),
        }
    }
}

impl<S, F> fmt::Debug for TicketVerifier<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketVerifier").finish_non_exhaustive()
    }
}

pin_project! {
    /// The decision of [`TicketVerifier`]; the future `G` resolves to the grant.
    pub struct VerifyFuture<G> {
        #[pin]
        state: State<G>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<G> {
        Refused { denied: Denied },
        Looking { #[pin] grant: G, resource: String },
    }
}

impl<G> VerifyFuture<G> {
    fn new(state: State<G>) -> Self {
        Self { state }
    }
}

impl<G> Future for VerifyFuture<G>
where
    G: Future<Output = Result<Option<Grant>, StoreError>>,
{
    type Output = Result<Principal, Denied>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().state.project() {
            StateProjection::Refused { denied } => Err(*denied),
            StateProjection::Looking { grant, resource } => match ready!(grant.poll(cx)) {
                Ok(grant) => grant
                    .filter(|grant| *grant.resource == **resource && grant.expires_at > SystemTime::now())
                    .filter(|grant| !grant.principal.is_revoked())
                    .map(|grant| grant.principal)
                    .ok_or(Denied::Invalid),
                Err(StoreError) => Err(Denied::Unavailable),
            },
        })
    }
}

impl<G> fmt::Debug for VerifyFuture<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFuture").finish_non_exhaustive()
    }
}
