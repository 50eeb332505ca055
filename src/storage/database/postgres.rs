//! Opens a database on a Postgres server.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Database, Health, Location, OpenError, migrations};

/// Maximum time to wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Connections to a Postgres server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pub(crate) pool: PgPool,
    /// What does not work of it.
    pub(crate) health: Arc<Health>,
}

impl Database {
    /// Connects to the Postgres server at `url` with `min` to `max` connections, and migrates its tables.
    /// Several hosts may do so at once.
    ///
    /// # Errors
    /// The URL is invalid, the server cannot be reached, or the tables cannot be migrated.
    pub async fn postgres(url: &str, min: u32, max: u32) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| OpenError::new("the URL of the Postgres server cannot be read", error))?;
        reach(&options, &Location::Postgres(url.to_owned())).await?;
        let pool = PgPoolOptions::new()
            .min_connections(min)
            .max_connections(max)
            .acquire_timeout(ACQUIRE)
            .after_release(|connection, _| {
                // Before a connection is used again, `sqlx` waits for the rest of a call that was given up. On a
                // connection that hangs that is for ever, and the pool would have one less.
                Box::pin(async {
                    let rest = tokio::time::timeout(ACQUIRE, connection.ping()).await;
                    rest.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .connect_lazy_with(options);
        Self::from_pool(pool).await
    }

    /// Uses the application's own pool, and migrates the tables.
    ///
    /// # Errors
    /// The tables cannot be migrated.
    pub async fn from_pool(pool: PgPool) -> Result<Self, OpenError> {
        migrations::postgres()
            .run(&pool)
            .await
            .map_err(|error| OpenError::new("the tables on the Postgres server cannot be used", error))?;
        Ok(Self::Postgres(Postgres { pool, health: Arc::default() }))
    }
}

/// Opens one connection to find out why the server cannot be used: a pool retries and reports only a timeout.
async fn reach(options: &PgConnectOptions, place: &Location) -> Result<(), OpenError> {
    let unusable = |error| OpenError::new(format!("the Postgres server {place:?} cannot be used"), error);
    let connection =
        tokio::time::timeout(ACQUIRE, PgConnection::connect_with(options)).await.map_err(|_| {
            OpenError::sentence(format!("the Postgres server {place:?} cannot be used: it does not answer"))
        })?;
    // The connection is not used again, so an error while closing it does not matter.
    let _ = connection.map_err(unusable)?.close().await;
    Ok(())
}
