//! A disk that is full for a while.

use agent_webkit::{
    layers::resume::{Batch, Cursor, Event, EventLog, EventStream},
    storage::{
        Storage, StorageConfig,
        catalog::{CatalogError, SessionMetadata, SessionRecord},
        database::Database,
        transcripts::{Entry, StoreError, TranscriptKey},
    },
};

use crate::{
    reader::{Reader, eventually, frames, numbers},
    small_disk::SmallDisk,
};

const ID: &str = "5b181949-e7a5-4552-9814-74e14b23ec5d";

async fn storage(disk: &SmallDisk) -> Storage {
    let database = Database::sqlite(disk.path().join("sessions.db")).await.unwrap();
    Storage::new(database, StorageConfig::default())
}

/// Far more in each round: a write-ahead log that has grown once takes as much again on a full disk.
fn large(round: u32) -> String {
    "x".repeat((128 << 10) * 3_usize.pow(round))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_until_a_full_disk_has_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let storage = storage(&disk).await;
    let stream = storage.log().open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(1..=50)).await.unwrap();
    assert_eq!(storage.check().await, Ok(()));

    // More than once, because an error of the first time must not spoil the second.
    for round in 0..4 {
        disk.fill();
        let waits = stream.clone();
        let batch = Batch::from(Event::new("large", large(round)));
        let waits = tokio::spawn(async move { waits.append(batch).await });
        eventually("a fault that is seen", async || storage.check().await.is_err()).await;
        let fault = storage.check().await.unwrap_err().to_string();
        assert!(fault.contains("disk is full"), "{fault}");
        assert!(!waits.is_finished());

        disk.free();
        let seq = 51 + u64::from(round);
        assert_eq!(waits.await.unwrap().unwrap(), seq..=seq);
        eventually("no fault", async || storage.check().await.is_ok()).await;
    }
    let seen = reader.until(54).await;
    assert_eq!(seen[..50], frames(1..=50), "nothing is lost or doubled");
    assert_eq!(seen.len(), 54);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_transcripts_are_stored_again_once_a_full_disk_has_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let storage = storage(&disk).await;
    let catalog = storage.persistence().catalog;
    let record = SessionRecord::new(ID, None, "/work", std::time::SystemTime::now());
    let lease = catalog.create(&record).await.unwrap();
    let key = TranscriptKey::main("-work", ID);
    let entry = |round| -> Entry {
        format!(r#"{{"type":"user","uuid":"{round}","message":"{}"}}"#, large(round)).parse().unwrap()
    };
    let metadata = |round| SessionMetadata { title: Some(large(round)), ..record.metadata.clone() };
    storage.transcripts().append(&key, &[entry(0)]).await.unwrap();

    for round in 1..=3 {
        disk.fill();
        for _ in 0..3 {
            let saved = catalog.save(&lease, &metadata(round)).await;
            assert!(matches!(saved, Err(CatalogError::Unavailable(_))), "{saved:?}");
            let appended = storage.transcripts().append(&key, &[entry(round)]).await;
            assert!(matches!(appended, Err(StoreError::Unavailable(_))), "{appended:?}");
        }
        assert!(storage.check().await.is_err());

        disk.free();
        catalog.save(&lease, &metadata(round)).await.unwrap();
        storage.transcripts().append(&key, &[entry(round)]).await.unwrap();
        assert_eq!(storage.check().await, Ok(()));
    }
    assert_eq!(storage.transcripts().load(&key).await.unwrap().unwrap().len(), 4);
    assert_eq!(catalog.find(ID).await.unwrap().unwrap().metadata, metadata(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_is_over_once_the_disk_has_room_even_if_nobody_writes() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let storage = storage(&disk).await;
    let catalog = storage.persistence().catalog;
    disk.fill();
    let long = "x".repeat(1 << 20);
    let record = SessionRecord::new(ID, Some(&long), "/work", std::time::SystemTime::now());
    catalog.create(&record).await.unwrap_err();
    assert!(storage.check().await.is_err());
    disk.free();
    assert_eq!(storage.check().await, Ok(()));
    assert_eq!(catalog.list(Some("agent-webkit-check")).await.unwrap(), []);
}
