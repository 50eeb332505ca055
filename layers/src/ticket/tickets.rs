use std::{
    fmt::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request::Parts;

use super::{Grant, MemoryStore, StoreError, TicketStore, TicketVerifier};
use crate::auth::Principal;

/// Issues tickets and knows them again. Clones share their store.
///
/// By default a ticket holds for a minute, a principal has 64 of them at most, and they are kept in memory.
#[derive(Clone)]
pub struct Tickets<S = MemoryStore> {
    store: S,
    lifetime: Duration,
    per_principal: usize,
}

/// A ticket that was issued.
#[derive(Clone)]
#[non_exhaustive]
pub struct Issued {
    /// The ticket, for a URL; it needs no escaping.
    pub ticket: String,
    /// Its lifetime.
    pub expires_in: Duration,
}

impl<S> Tickets<S> {
    /// Tickets whose grants are kept in this store.
    pub const fn new(store: S) -> Self {
        Self { store, lifetime: Duration::from_secs(60), per_principal: 64 }
    }

    /// Sets the lifetime of a ticket. Default 60 s.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// Sets the number of valid tickets per principal; a further one replaces the oldest. Default 64.
    #[must_use]
    pub fn per_principal(self, tickets: usize) -> Self {
        Self { per_principal: tickets, ..self }
    }

    /// A verifier of these tickets, to put beside those of other credentials by
    /// [`AnyOf`](crate::auth::AnyOf).
    ///
    /// `resource` says which resource a request opens, if it is one that tickets are for. To all other
    /// requests a ticket is not valid. The layer must stand inside of a [`TicketLayer`](super::TicketLayer).
    pub fn verifier<F>(&self, resource: F) -> TicketVerifier<S, F>
    where
        S: Clone,
        F: Fn(&Parts) -> Option<String>,
    {
        TicketVerifier::new(self.store.clone(), resource)
    }
}

impl<S: TicketStore> Tickets<S> {
    /// A new ticket that lets `principal` open `resource`.
    ///
    /// The principal is who the request comes from when the ticket is used: limit its scopes first. The
    /// ticket expires with it, if that is sooner.
    ///
    /// # Errors
    /// There is no room for it, or no randomness.
    pub async fn issue(
        &self,
        resource: impl Into<Arc<str>>,
        principal: Principal,
    ) -> Result<Issued, IssueError> {
        let now = SystemTime::now();
        let left = principal.expires_at.map(|end| end.duration_since(now).unwrap_or_default());
        let expires_in = left.map_or(self.lifetime, |left| left.min(self.lifetime));
        let expires_at = now.checked_add(expires_in).ok_or(IssueError)?;
        let ticket = random()?;
        let grant = Grant::new(resource, principal, expires_at);
        self.store
            .put(super::store::digest(&ticket), grant, self.per_principal)
            .await
            .map_err(|StoreError| IssueError)?;
        Ok(Issued { ticket, expires_in })
    }
}

/// No ticket can be issued now; it may be possible later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueError;

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no ticket can be issued now, try again later")
    }
}

impl std::error::Error for IssueError {}

impl Default for Tickets {
    fn default() -> Self {
        Self::new(MemoryStore::default())
    }
}

impl<S> fmt::Debug for Tickets<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets")
            .field("lifetime", &self.lifetime)
            .field("per_principal", &self.per_principal)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("ticket", &format_args!(".."))
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

/// 256 random bits in hexadecimal.
fn random() -> Result<String, IssueError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| IssueError)?;
    Ok(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    }))
}
