//! A pooler between the server and this program.

use agent_webkit::{
    layers::resume::{Cursor, Event, EventLog, EventStream, Tail},
    storage::{
        Storage, StorageConfig,
        catalog::{Acquired, SessionMetadata, SessionRecord},
        database::Database,
        transcripts::{Entry, TranscriptKey},
    },
};
use tokio::task::JoinSet;

use crate::{pooler_process::Pooler, postgres::TestDatabase};

const SESSIONS: usize = 20;
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_kept_through_a_pooler_of_transactions() {
    let database = TestDatabase::new().await;
    let Some(pooler) = Pooler::before(database.url(), "transaction").await else { return };
    // Several at once, as at a deploy.
    let mut opening = JoinSet::new();
    for _ in 0..3 {
        let url = pooler.url().to_owned();
        opening.spawn(async move { Database::postgres(&url, 0, 5).await.unwrap() });
    }
    let hosts: Vec<_> = opening
        .join_all()
        .await
        .into_iter()
        .map(|database| Storage::new(database, StorageConfig::default()))
        .collect();
    let mut sessions = JoinSet::new();
    for n in 0..SESSIONS {
        sessions.spawn(works(hosts[n % hosts.len()].clone(), format!("session-{n}")));
    }
    sessions.join_all().await;
    for host in &hosts {
        assert_eq!(host.check().await, Ok(()));
    }
    assert_eq!(hosts[0].persistence().catalog.list(Some("ada")).await.unwrap().len(), SESSIONS);
}

/// Everything that is stored of a session, again and again.
async fn works(host: Storage, id: String) {
    let catalog = host.persistence().catalog;
    let record = SessionRecord::new(&id, Some("ada"), "/work", std::time::SystemTime::now());
    let lease = catalog.create(&record).await.unwrap();
    let stream = host.log().open(&id).await.unwrap();
    let key = TranscriptKey::main("-work", &id);
    for round in 0..ROUNDS {
        stream.append(Event::new("tick", format!("{round}")).into()).await.unwrap();
        let entry: Entry = format!(r#"{{"type":"user","uuid":"{round}"}}"#).parse().unwrap();
        host.transcripts().append(&key, &[entry]).await.unwrap();
        let title = Some(format!("{round}"));
        catalog.save(&lease, &SessionMetadata { title, ..record.metadata.clone() }).await.unwrap();
        assert_eq!(catalog.renew(std::slice::from_ref(&lease)).await.unwrap(), [""; 0]);
        assert_eq!(host.transcripts().load(&key).await.unwrap().unwrap().len(), round + 1);
    }
    stream.release();
    catalog.release(&lease).await.unwrap();
    assert!(matches!(catalog.acquire(&id).await.unwrap(), Acquired::Leased(..)));
    let stream = host.log().open(&id).await.unwrap();
    assert_eq!(stream.bounds().last, ROUNDS as u64);
    let newest = stream.newest("tick", 1).await.unwrap();
    assert_eq!(newest[0].data, format!("{}", ROUNDS - 1));
    let tail = stream.tail(Cursor::Oldest).await.unwrap();
    assert_eq!(tail.attached().after, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_kept_through_a_pooler_of_sessions() {
    let database = TestDatabase::new().await;
    let Some(pooler) = Pooler::before(database.url(), "session").await else { return };
    let host = Storage::new(Database::postgres(pooler.url(), 0, 2).await.unwrap(), StorageConfig::default());
    works(host, "session".to_owned()).await;
}
