//! An event log whose readers have an event before its writer learns that it is stored.

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
        AppendError, Batch, Bounds, Cursor, EventLog, EventStream, Readers, RingLog, RingStream, RingTail,
        TailError,
    },
};
use http::Method;

use super::{
    fake::FakeAgents,
    rig::{Rig, builder},
};

#[derive(Clone, Debug, Default)]
struct LateLog {
    log: RingLog,
    is_late: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
struct LateStream {
    stream: RingStream,
    is_late: Arc<AtomicBool>,
}

impl EventLog for LateLog {
    type Stream = LateStream;
    type Error = <RingLog as EventLog>::Error;

    async fn open(&self, key: &str) -> Result<LateStream, Self::Error> {
        Ok(LateStream { stream: self.log.open(key).await?, is_late: Arc::clone(&self.is_late) })
    }

    async fn find(&self, key: &str) -> Result<Option<LateStream>, Self::Error> {
        let stream = self.log.find(key).await?;
        Ok(stream.map(|stream| LateStream { stream, is_late: Arc::clone(&self.is_late) }))
    }

    async fn forget(&self, key: &str) -> Result<(), Self::Error> {
        self.log.forget(key).await
    }
}

impl EventStream for LateStream {
    type Tail = RingTail;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        let appended = self.stream.append(batch).await;
        while self.is_late.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        appended
    }

    async fn tail(&self, cursor: Cursor) -> Result<RingTail, TailError> {
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
    let log = LateLog::default();
    let stack: Stack<_, _, LateLog> = builder(agents, workspace.path()).log(log.clone()).build();
    let mut rig = Rig { stack, agents: far, workspace };
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;

    log.is_late.store(true, Ordering::Relaxed);
    agent.asks("toolu_1").await;
    let asked = events.until("permission_request").await;
    for path in [format!("/sessions/{id}"), "/sessions".to_owned()] {
        let answer = rig.ask(Method::GET, &path, "");
        let early = tokio::time::timeout(Duration::from_millis(100), answer).await;
        assert!(early.is_err(), "{path} does not know of the prompt yet");
    }
    log.is_late.store(false, Ordering::Relaxed);
    let description = rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(description["as_of_seq"].as_u64(), asked.id);
    assert_eq!(description["pending"][0]["correlation_id"], "toolu_1", "{description}");
}
