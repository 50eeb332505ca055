//! A Postgres server.

use std::{str::FromStr, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Database, OpenError, migrations};

/// So long a request waits for a connection before it is answered that the store is not available.
const ACQUIRE: Duration = Duration::from_secs(5);

impl Database {
    /// Connects to the Postgres server at `url` with `min` to `max` connections, and brings its tables up
    /// to date.
    ///
    /// # Errors
    /// The URL is none, the server cannot be reached, or the tables cannot be made.
    pub async fn postgres(url: &str, min: u32, max: u32) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| OpenError::new("the URL of the Postgres server cannot be read", error))?;
        let pool = PgPoolOptions::new()
            .min_connections(min)
            .max_connections(max)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await
            .map_err(|error| OpenError::new("the Postgres server cannot be reached", error))?;
        Self::from_pool(pool).await
    }

    /// Uses the host's own pool, and brings the tables up to date.
    ///
    /// # Errors
    /// The tables cannot be made.
    pub async fn from_pool(pool: PgPool) -> Result<Self, OpenError> {
        migrations::postgres()
            .run(&pool)
            .await
            .map_err(|error| OpenError::new("the tables cannot be brought up to date", error.into()))?;
        Ok(Self::Postgres(pool))
    }
}
