//! How the catalog, and what has its rows beside the catalog's, calls either kind of database.

/// Runs queries on one connection of a [`Database`](crate::storage::database::Database): `reads` or `writes`. Behind a
/// pooler of Postgres they are one transaction.
///
/// A write that returns rows must read all of them: SQLite commits after the last one, and an error of the commit is
/// lost on a caller who stops at the first.
macro_rules! query {
    ($database:expr, $call:ident, |$connection:ident| $queries:expr) => {{
        let call = $crate::storage::database::Component::Catalog.$call();
        match $database {
            #[cfg(feature = "sqlite")]
            $crate::storage::database::Database::Sqlite(sqlite) => {
                let asked = async {
                    let mut held = $crate::storage::catalog::query!(@ $call, sqlite).acquire().await?;
                    let $connection = &mut *held;
                    $queries.await
                };
                sqlite.health.call(call, asked).await
            }
            #[cfg(feature = "postgres")]
            $crate::storage::database::Database::Postgres(server) => {
                let asked = async {
                    let mut link = server.link().await?;
                    let $connection = &mut *link;
                    let answer = $queries.await?;
                    link.done().await?;
                    Ok(answer)
                };
                server.health.call(call, asked).await
            }
        }
        .map_err($crate::storage::catalog::CatalogError::of)
    }};
    (@ reads, $sqlite:ident) => {
        &$sqlite.readers
    };
    (@ writes, $sqlite:ident) => {
        &$sqlite.writer
    };
}
pub(in crate::storage) use query;
