//! The Postgres server of the tests.

use sqlx::{Connection, PgConnection};

use crate::postgres::{Cluster, TestDatabase};

async fn answers(url: &str) -> bool {
    let Ok(mut connection) = PgConnection::connect(url).await else { return false };
    sqlx::query_scalar("select 1").fetch_one(&mut connection).await.is_ok_and(|one: i32| one == 1)
}

#[tokio::test]
async fn a_database_lives_as_long_as_its_test() {
    let database = TestDatabase::new().await;
    let other = TestDatabase::new().await;
    let url = database.url().to_owned();
    assert!(answers(&url).await);
    drop(database);
    assert!(!answers(&url).await);
    assert!(answers(other.url()).await);
}

#[tokio::test]
async fn a_cluster_comes_back_where_it_was_with_what_was_committed() {
    let mut cluster = Cluster::start();
    let database = cluster.database().await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("create table kept (n int); insert into kept values (7)")
        .execute(&mut connection)
        .await
        .unwrap();

    cluster.stop();
    assert!(sqlx::query("select 1").execute(&mut connection).await.is_err());
    assert!(!answers(database.url()).await);

    cluster.start_again();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let kept: i32 = sqlx::query_scalar("select n from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 7);
}
