//! The ticket store in a database: a ticket holds on every host that shares it, and over restarts.

use std::{fmt, pin::Pin, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{
    catalog::{CatalogError, query},
    database::Database,
};
use crate::{
    error_text::with_sources,
    layers::{
        auth::{Principal, Scopes},
        ticket::{Digest, Grant, MemoryStore, StoreError, TicketStore},
    },
    unix_ms,
};

const SWEEP: &str = "delete from agent_webkit_tickets where expires_at_ms <= $1";

/// Keeps those that expire last.
const LIMIT: &str = "delete from agent_webkit_tickets where principal = $1 and digest not in (
        select digest from agent_webkit_tickets where principal = $1 order by expires_at_ms desc, digest limit $2)";

const PUT: &str =
    "insert into agent_webkit_tickets (digest, principal, grant_json, expires_at_ms) values ($1, $2, $3, $4)";

const GET: &str = "select grant_json, expires_at_ms from agent_webkit_tickets where digest = $1";

/// A [`TicketStore`] in a [`Database`]. Clones share it.
///
/// The grants that were issued here are also in memory: there they have the
/// [`Revocation`](crate::layers::auth::Revocation) of the credential behind them, which no row can hold.
#[derive(Clone)]
pub struct DbTickets {
    database: Database,
    issued_here: MemoryStore,
}

/// A grant as a row holds it.
#[derive(Serialize, Deserialize)]
struct StoredGrant {
    resource: String,
    principal: String,
    /// `None` for all.
    scopes: Option<Vec<String>>,
    /// When the principal expires, in milliseconds since the Unix epoch; `None` for never.
    principal_expires_at_ms: Option<i64>,
}

impl DbTickets {
    /// The tickets in this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, issued_here: MemoryStore::default() }
    }

    async fn store(&self, digest: Digest, grant: &Grant, keep: usize) -> Result<(), CatalogError> {
        let principal = json(&*grant.principal.name);
        let stored = json(&StoredGrant::of(grant));
        let older = i64::try_from(keep.max(1) - 1).unwrap_or(i64::MAX);
        let now = unix_ms::signed(SystemTime::now());
        let expires_at = unix_ms::signed(grant.expires_at);
        query!(&self.database, writes, |connection| async {
            sqlx::query(SWEEP).bind(now).execute(&mut *connection).await?;
            sqlx::query(LIMIT).bind(&principal).bind(older).execute(&mut *connection).await?;
            let put = sqlx::query(PUT).bind(&digest[..]).bind(&principal).bind(&stored);
            put.bind(expires_at).execute(&mut *connection).await.map(drop)
        })
    }

    async fn load(&self, digest: Digest) -> Result<Option<Grant>, CatalogError> {
        let row: Option<(String, i64)> = query!(&self.database, reads, |connection| {
            sqlx::query_as(GET).bind(&digest[..]).fetch_optional(connection)
        })?;
        let Some((stored, expires_at)) = row else { return Ok(None) };
        let stored: StoredGrant =
            serde_json::from_str(&stored).map_err(|error| CatalogError::Unavailable(error.into()))?;
        Ok(Some(stored.grant(expires_at)))
    }
}

impl TicketStore for DbTickets {
    type Get = Pin<Box<dyn Future<Output = Result<Option<Grant>, StoreError>> + Send>>;

    async fn put(&self, digest: Digest, grant: Grant, keep: usize) -> Result<(), StoreError> {
        self.store(digest, &grant, keep).await.map_err(|error| unavailable(&error))?;
        self.issued_here.put(digest, grant, keep).await
    }

    fn get(&self, digest: Digest) -> Self::Get {
        let tickets = self.clone();
        Box::pin(async move {
            if let Some(grant) = tickets.issued_here.get(digest).await? {
                return Ok(Some(grant));
            }
            tickets.load(digest).await.map_err(|error| unavailable(&error))
        })
    }
}

fn unavailable(error: &CatalogError) -> StoreError {
    tracing::error!(error = with_sources(error), "the ticket store is not available");
    StoreError
}

impl StoredGrant {
    fn of(grant: &Grant) -> Self {
        let Principal { name, scopes, expires_at, .. } = &grant.principal;
        Self {
            resource: grant.resource.to_string(),
            principal: name.to_string(),
            scopes: scopes.names().map(|names| names.map(str::to_owned).collect()),
            principal_expires_at_ms: expires_at.map(unix_ms::signed),
        }
    }

    fn grant(self, expires_at_ms: i64) -> Grant {
        let scopes = self.scopes.map_or_else(Scopes::all, Scopes::of);
        let mut principal = Principal::new(self.principal).with_scopes(scopes);
        if let Some(end) = self.principal_expires_at_ms {
            principal = principal.expiring_at(time(end));
        }
        Grant::new(self.resource, principal, time(expires_at_ms))
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("made of strings and numbers")
}

fn time(millis: i64) -> SystemTime {
    unix_ms::time(u64::try_from(millis).unwrap_or(0))
}

impl fmt::Debug for DbTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbTickets").finish_non_exhaustive()
    }
}
