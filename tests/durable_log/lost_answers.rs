//! Commits whose answer is lost, so that it is unknown at first whether they took place.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use agent_webkit::{
    layers::resume::{AppendError, Cursor, EventLog, EventStream},
    storage::{
        database::Database,
        events::{DurableConfig, DurableLog},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    postgres::TestDatabase,
    reader::{Reader, frames, numbers},
};

/// Length of the answer to a ping. A longer answer is one to a statement.
const PONG: usize = 6;

/// A proxy to the server that, once armed, cuts a connection instead of sending the answer to its next
/// statement.
struct Way {
    url: String,
    armed: Arc<AtomicBool>,
}

impl Way {
    async fn to(database: &TestDatabase) -> Self {
        let url = database.url();
        let place = url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url.replace(&place, &listener.local_addr().unwrap().to_string());
        let armed = Arc::new(AtomicBool::new(false));
        let way = Self { url, armed: Arc::clone(&armed) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&place).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&armed)));
            }
        });
        way
    }

    fn cut_next(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    fn was_cut(&self) -> bool {
        !self.armed.load(Ordering::Relaxed)
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(1..) = from_server.read(&mut bytes[..1]).await {
            let more = from_server.try_read(&mut bytes[1..]).unwrap_or(0);
            let answer = &bytes[..=more];
            if answer.len() > PONG && armed.swap(false, Ordering::Relaxed) {
                return;
            }
            if to_client.write_all(answer).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_made_twice() {
    let database = TestDatabase::new().await;
    let way = Way::to(&database).await;
    let log = DurableLog::new(Database::postgres(&way.url, 0, 1).await.unwrap(), DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    // Prepares the statement on the connection, so that the next answer is the one to the commit.
    stream.append(numbers(1..=1)).await.unwrap();
    let mut last = 1;
    for _ in 0..10 {
        way.cut_next();
        assert_eq!(stream.append(numbers(last + 1..=last + 3)).await.unwrap(), last + 1..=last + 3);
        assert!(way.was_cut());
        assert_eq!(stream.append(numbers(last + 4..=last + 4)).await.unwrap(), last + 4..=last + 4);
        last += 4;
    }
    way.cut_next();
    stream.close();
    assert_eq!(reader.rest().await, frames(1..=last));
    assert!(way.was_cut());
    let found = log.find("key").await.unwrap().unwrap();
    assert_eq!(Reader::attach(&found, Cursor::Oldest).await.rest().await, frames(1..=last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_waited_out_is_found_by_whoever_opens_the_stream() {
    let database = TestDatabase::new().await;
    let way = Way::to(&database).await;
    let config = DurableConfig::default().outage(std::time::Duration::ZERO);
    let log = DurableLog::new(Database::postgres(&way.url, 0, 1).await.unwrap(), config);
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(1..=1)).await.unwrap();
    way.cut_next();
    assert!(matches!(stream.append(numbers(2..=3)).await, Err(AppendError::Unavailable(_))));
    assert!(matches!(stream.append(numbers(2..=3)).await, Err(AppendError::Fenced)));
    assert_eq!(reader.rest().await, frames(1..=1));

    let again = log.open("key").await.unwrap();
    assert_eq!(again.append(numbers(4..=4)).await.unwrap(), 4..=4);
    assert_eq!(Reader::attach(&again, Cursor::After(1)).await.until(4).await, frames(2..=4));
}
