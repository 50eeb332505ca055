use std::{
    fmt::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::request::Parts;

use super::{Grant, MemoryStore, StoreError, TicketStore, TicketVerifier};
use crate::auth::Principal;

/// Issues tickets and verifies them. Clones share their ticket store.
///
/// By default a ticket is valid for a minute, a principal has at most 64 tickets, and grants are kept in memory.
///
/// ```
/// use std::time::Duration;
///
/// use agent_webkit_layers::{auth::Principal, ticket::Tickets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tickets = Tickets::default().lifetime(Duration::from_secs(30));
/// let issued = tickets.issue("room 7", Principal::new("ada")).await?;
/// assert_eq!((issued.ticket.len(), issued.expires_in), (64, Duration::from_secs(30)));
/// # Ok(())
/// # }
/// ```
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
    /// Tickets with their grants in this ticket store.
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

    /// A verifier of these tickets, to combine with those of other credentials by [`AnyOf`](crate::auth::AnyOf).
    ///
    /// `resource` returns the resource that a request opens, or `None` if tickets are not valid for the request. The
    /// auth layer with this verifier must be inside of a [`TicketLayer`](super::TicketLayer).
    pub fn verifier<F>(&self, resource: F) -> TicketVerifier<S, F>
    where
        S: Clone,
        F: Fn(&Parts) -> Option<String>,
    {
        TicketVerifier::new(self.store.clone(), resource)
    }
}

impl<S: TicketStore> Tickets<S> {
    /// Issues a ticket that lets `principal` open `resource`.
    ///
    /// A request with the ticket has exactly this principal, so limit its scopes before. If the principal expires
    /// before the lifetime of the ticket is over, the ticket expires with it.
    ///
    /// # Errors
    /// The ticket store failed or is full, or the system has no randomness.
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

/// No ticket can be issued now. It may be possible later.
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
