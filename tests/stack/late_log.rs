//! An event log that answers its writer late: at once it has an event for readers, or a request for a stream.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use agent_webkit::{
    Stack,
    layers::resume::{
        AppendError, Batch, Bounds, Cursor, EventLog, EventStream, Readers, RingLog, TailError,
    },
    service::Limits,
};
use http::{Method, StatusCode};

use super::{
    fake::FakeAgents,
    restoring::Disk,
    rig::{Rig, builder},
};

/// `open` and `append` return only once it is not late.
#[derive(Clone, Debug, Default)]
struct LateLog<L> {
    log: L,
    delay: Arc<Delay>,
}

#[derive(Clone, Debug)]
struct LateStream<S> {
    stream: S,
    delay: Arc<Delay>,
}

#[derive(Debug, Default)]
struct Delay {
    is_late: AtomicBool,
    /// Whether somebody waits.
    is_felt: AtomicBool,
}

impl<L> LateLog<L> {
    fn set_late(&self, is_late: bool) {
        self.delay.is_late.store(is_late, Ordering::Relaxed);
    }

    async fn somebody_waits(&self) {
        while !self.delay.is_felt.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn stream<S>(&self, stream: S) -> LateStream<S> {
        LateStream { stream, delay: Arc::clone(&self.delay) }
    }
}

impl Delay {
    async fn over(&self) {
        while self.is_late.load(Ordering::Relaxed) {
            self.is_felt.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl<L: EventLog> EventLog for LateLog<L> {
    type Stream = LateStream<L::Stream>;
    type Error = L::Error;

    async fn open(&self, key: &str) -> Result<Self::Stream, Self::Error> {
        self.delay.over().await;
        Ok(self.stream(self.log.open(key).await?))
    }

    async fn find(&self, key: &str) -> Result<Option<Self::Stream>, Self::Error> {
        Ok(self.log.find(key).await?.map(|stream| self.stream(stream)))
    }

    async fn forget(&self, key: &str) -> Result<(), Self::Error> {
        self.log.forget(key).await
    }
}

impl<S: EventStream> EventStream for LateStream<S> {
    type Tail = S::Tail;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        let appended = self.stream.append(batch).await;
        self.delay.over().await;
        appended
    }

    async fn tail(&self, cursor: Cursor) -> Result<S::Tail, TailError> {
        self.stream.tail(cursor).await
    }

    fn close(&self) {
        self.stream.close();
    }

    fn release(&self) {
        self.stream.release();
    }

    fn bounds(&self) -> Bounds {
        self.stream.bounds()
    }

    fn readers(&self) -> Readers {
        self.stream.readers()
    }
}

#[tokio::test(start_paused = true)]
async fn a_description_covers_all_that_a_reader_has_received() {
    let (agents, far) = FakeAgents::new();
    let workspace = tempfile::tempdir().unwrap();
    let log = LateLog::<RingLog>::default();
    let stack: Stack<_, _, LateLog<_>> = builder(agents, workspace.path()).log(log.clone()).build();
    let mut rig = Rig { stack, agents: far, workspace };
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;

    log.set_late(true);
    agent.asks("toolu_1").await;
    let asked = events.until("permission_request").await;
    for path in [format!("/sessions/{id}"), "/sessions".to_owned()] {
        let answer = rig.ask(Method::GET, &path, "");
        let early = tokio::time::timeout(Duration::from_millis(100), answer).await;
        assert!(early.is_err(), "{path} does not know of the prompt yet");
    }
    log.set_late(false);
    let description = rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(description["as_of_seq"].as_u64(), asked.id);
    assert_eq!(description["pending"][0]["correlation_id"], "toolu_1", "{description}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_session_that_is_deleted_while_another_host_restores_it_is_gone() {
    let disk = Disk::new();
    let mut first = disk.host(Limits::default()).await;
    let (id, agent) = first.rig.session().await;
    first.ends_with(agent).await;

    let (host, other) = (disk.host(Limits::default()).await, disk.host(Limits::default()).await);
    let (agents, far) = FakeAgents::new();
    let log = LateLog { log: host.storage.log().clone(), delay: Arc::default() };
    let workspace = tempfile::tempdir().unwrap();
    let stack = builder(agents, workspace.path()).log(log.clone()).persistence(host.storage.persistence());
    let rig = Rig { stack: stack.build(), agents: far, workspace };
    log.set_late(true);
    let path = format!("/sessions/{id}");
    let (restored, ()) = tokio::join!(rig.get(&path), async {
        // It has the lease by now, and waits for the stream.
        log.somebody_waits().await;
        assert_eq!(other.rig.ask(Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
        log.set_late(false);
    });
    assert_eq!(restored.status, StatusCode::NOT_FOUND, "{}", restored.detail());
    assert!(host.storage.log().find(&id).await.unwrap().is_none(), "no new stream is left in its place");
}
