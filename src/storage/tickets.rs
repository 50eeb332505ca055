//! The ticket store in a database: a ticket holds on every host that shares it, and over restarts.

use std::{
    fmt,
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::database::{Component, Database};
use crate::{
    error_text::with_sources,
    layers::{
        auth::{Principal, Scopes},
        ticket::{Digest, Grant, MemoryStore, StoreError, TicketStore},
    },
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

/// Runs queries on one connection of either kind of database: `reads` or `writes`. Behind a pooler of Postgres they are
/// one transaction.
macro_rules! on {
    ($database:expr, $call:ident, |$connection:ident| $queries:expr) => {
        match $database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(sqlite) => {
                let asked = async {
                    let mut held = on!(@ $call, sqlite).acquire().await?;
                    let $connection = &mut *held;
                    $queries
                };
                sqlite.health.call(Component::Catalog.$call(), asked).await
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(server) => {
                let asked = async {
                    let mut link = server.link().await?;
                    let $connection = &mut *link;
                    let answer = $queries;
                    link.done().await?;
                    answer
                };
                server.health.call(Component::Catalog.$call(), asked).await
            }
        }
    };
    (@ reads, $sqlite:ident) => {
        &$sqlite.readers
    };
    (@ writes, $sqlite:ident) => {
        &$sqlite.writer
    };
}

impl DbTickets {
    /// The tickets in this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, issued_here: MemoryStore::default() }
    }

    async fn store(&self, digest: Digest, grant: &Grant, keep: usize) -> Result<(), sqlx::Error> {
        let principal = json(&*grant.principal.name);
        let stored = json(&StoredGrant::of(grant));
        let older = i64::try_from(keep.max(1) - 1).unwrap_or(i64::MAX);
        let now = millis(SystemTime::now());
        let expires_at = millis(grant.expires_at);
        on!(&self.database, writes, |connection| {
            sqlx::query(SWEEP).bind(now).execute(&mut *connection).await?;
            sqlx::query(LIMIT).bind(&principal).bind(older).execute(&mut *connection).await?;
            let put = sqlx::query(PUT).bind(&digest[..]).bind(&principal).bind(&stored);
            put.bind(expires_at).execute(&mut *connection).await.map(drop)
        })
    }

    async fn load(&self, digest: Digest) -> Result<Option<Grant>, sqlx::Error> {
        let row: Option<(String, i64)> = on!(&self.database, reads, |connection| {
            sqlx::query_as(GET).bind(&digest[..]).fetch_optional(&mut *connection).await
        })?;
        let Some((stored, expires_at)) = row else { return Ok(None) };
        let stored: StoredGrant =
            serde_json::from_str(&stored).map_err(|error| sqlx::Error::Decode(error.into()))?;
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

fn unavailable(error: &sqlx::Error) -> StoreError {
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
            principal_expires_at_ms: expires_at.map(millis),
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

fn millis(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

impl fmt::Debug for DbTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbTickets").finish_non_exhaustive()
    }
}
