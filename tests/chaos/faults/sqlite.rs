//! Faults of the SQLite file and its disk.

use std::{path::Path, time::Duration};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::Budget;
use crate::{
    small_disk::SmallDisk,
    world::{World, pause},
};

/// Fills the disk, if the file lies on one of its own, and locks the file.
pub(crate) async fn of_sqlite(world: &World, file: &Path, disk: Option<&SmallDisk>, budget: &Budget) {
    let mut random = world.random(2);
    while budget.take() {
        let time = Duration::from_millis(random.below(5000));
        match disk {
            Some(disk) if random.below(2) == 0 => {
                world.ledger.fault("full disk");
                tokio::task::block_in_place(|| disk.fill());
                tokio::time::sleep(time).await;
                disk.free();
            }
            _ => {
                world.ledger.fault("lock of the database by another process");
                lock(file, time).await;
            }
        }
        pause(&mut random, Duration::from_secs(3)).await;
    }
}

async fn lock(file: &Path, time: Duration) {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(30));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
    // The server may hold the lock for longer: then there is nothing to lock.
    if sqlx::query("begin exclusive").execute(&mut connection).await.is_ok() {
        tokio::time::sleep(time).await;
        let _ = sqlx::query("rollback").execute(&mut connection).await;
    }
}
