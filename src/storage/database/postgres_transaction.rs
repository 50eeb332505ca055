//! A transaction on a Postgres server that ends with its caller.
//!
//! `sqlx` has transactions too, but when the future of their `begin` is dropped, the connection goes back to the pool
//! with the transaction open. What others store on it then looks stored, and is lost when the connection ends.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, PgPool, pool::PoolConnection};

/// An open transaction. If it is dropped, its connection is closed, which rolls it back.
pub(crate) struct Transaction {
    /// `None` once it is committed.
    connection: Option<PoolConnection<sqlx::Postgres>>,
}

impl Transaction {
    /// Begins a transaction with this statement.
    pub(super) async fn begin(pool: &PgPool, statement: &'static str) -> sqlx::Result<Self> {
        let mut transaction = Self { connection: Some(pool.acquire().await?) };
        sqlx::raw_sql(statement).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("commit").execute(&mut *self).await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect("it is not committed")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect("it is not committed")
    }
}
