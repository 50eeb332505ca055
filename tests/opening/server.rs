//! Postgres servers.

use std::net::TcpListener;

use agent_webkit::storage::{
    database::Database,
    transcripts::{PgTranscripts, TranscriptKey, TranscriptStore},
};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::JoinSet;

use crate::postgres::{Cluster, TestDatabase};

/// Returns the error of opening the database at this URL.
async fn refused(url: &str) -> String {
    let error = Database::postgres(url, 0, 1).await.expect_err("it is refused");
    let said = error.to_string();
    assert_eq!(said.lines().count(), 1, "{said}");
    let shown = format!("{said} {error:?}");
    assert!(!shown.contains("hunter2"), "the password is shown: {shown}");
    said
}

/// Returns the user, the host and the database of `postgres://user:password@host/database`.
fn parts(url: &str) -> (&str, &str, &str) {
    let (login, place) = url.strip_prefix("postgres://").unwrap().split_once('@').unwrap();
    let (host, database) = place.split_once('/').unwrap();
    (login.split(':').next().unwrap(), host, database)
}

#[tokio::test]
async fn an_url_that_is_none() {
    for wrong in
        ["postgres://u:hunter2@h:port/d", "postgres://u:hunter2@h:99999999/d", "postgres://[u:hunter2"]
    {
        let said = refused(wrong).await;
        assert!(said.starts_with("the URL of the Postgres server cannot be read: "), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = refused(&format!("postgres://u:hunter2@127.0.0.1:{port}/d")).await;
    let expected =
        format!("the Postgres server postgres://127.0.0.1:{port}/d cannot be used: Connection refused");
    assert!(said.starts_with(&expected), "{said}");

    let said = refused("postgres://u:hunter2@nowhere.invalid/d").await;
    assert!(said.starts_with("the Postgres server postgres://nowhere.invalid/d cannot be used: "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let said = refused(&format!("postgres://u:hunter2@127.0.0.1:{port}/d")).await;
    let expected =
        format!("the Postgres server postgres://127.0.0.1:{port}/d cannot be used: it does not answer");
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_database() {
    // A cluster of its own, because the one at DATABASE_URL may accept any password.
    let cluster = Cluster::start();
    let database = cluster.database().await;
    let (user, host, name) = parts(database.url());
    let said = refused(&format!("postgres://{user}:hunter2@{host}/{name}")).await;
    let expected = format!(
        "the Postgres server postgres://{host}/{name} cannot be used: password authentication failed for user \"{user}\""
    );
    assert_eq!(said, expected);

    let said = refused(&database.url().replace(name, "nowhere")).await;
    let expected = format!(
        "the Postgres server postgres://{host}/nowhere cannot be used: database \"nowhere\" does not exist"
    );
    assert_eq!(said, expected);
}

#[tokio::test]
async fn tables_that_a_newer_version_has_made() {
    let database = TestDatabase::new().await;
    Database::postgres(database.url(), 0, 1).await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("insert into agent_webkit_migrations values (9999, 'later', now(), true, '', 0)")
        .execute(&mut connection)
        .await
        .unwrap();
    let expected =
        "the tables on the Postgres server cannot be used: they were made by a newer version of this program";
    assert_eq!(refused(database.url()).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hosts_make_the_tables_of_one_database_at_once() {
    let database = TestDatabase::new().await;
    let mut hosts = JoinSet::new();
    for host in 0..8 {
        let url = database.url().to_owned();
        hosts.spawn(async move {
            let store = PgTranscripts::connect(&url, 0, 2).await.unwrap();
            let key = TranscriptKey::main("p", "s");
            store.append(&key, &[format!(r#"{{"host":{host}}}"#).parse().unwrap()]).await.unwrap();
        });
    }
    hosts.join_all().await;
    let store = PgTranscripts::from_pool(PgPool::connect_lazy(database.url()).unwrap()).await.unwrap();
    assert_eq!(store.load(&TranscriptKey::main("p", "s")).await.unwrap().unwrap().len(), 8);
}
