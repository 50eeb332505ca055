//! Which of several processes calls the upstream for a new key: the one that creates its stream. Until the head of the
//! response is there, nobody knows whether there will be a stream, and the others wait.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

use super::{config::SIGNS, recorder::BoxError};
use crate::resume::{AppendError, Batch, Cursor, EventLog, EventStream, Tail, TailError};

/// How often those who wait look.
const LOOK: Duration = Duration::from_millis(50);
/// The notes of a stream whose upstream has not answered yet begin with this.
const WAITING: &[u8] = b"waiting";
const STARTED: Bytes = Bytes::from_static(b"started");

/// What the log holds under a key.
pub(super) enum Held<L: EventLog> {
    Nothing,
    Stream(L::Stream),
    /// This process has created the stream.
    Ours(Reservation<L>),
}

/// Finds the stream of a key. Without one, creates it if `may_create`.
pub(super) async fn find_or_create<L: EventLog>(
    log: &L,
    key: &str,
    lease: Duration,
    may_create: bool,
) -> Result<Held<L>, BoxError> {
    let (mut seen, mut since) = (None, Instant::now());
    loop {
        match log.find(key).await? {
            None if !may_create => return Ok(Held::Nothing),
            None => {
                if let Some(stream) = log.create(key).await? {
                    let (log, key) = (log.clone(), key.to_owned());
                    return Ok(Held::Ours(Reservation { log, key, stream: Some(stream) }));
                }
            }
            Some(stream) => match sign_of_waiting(&stream).await? {
                Some(sign) if seen.as_ref() != Some(&sign) => (seen, since) = (Some(sign), Instant::now()),
                // Whoever waits for the upstream there is dead.
                Some(_) if since.elapsed() >= lease => return Ok(Held::Stream(stream)),
                Some(_) => {}
                None => return Ok(Held::Stream(stream)),
            },
        }
        sleep(LOOK).await;
    }
}

/// The newest sign of the process that waits for the upstream, or `None` if the upstream has answered.
async fn sign_of_waiting(stream: &impl EventStream) -> Result<Option<Bytes>, TailError> {
    let attached = match stream.tail(Cursor::Oldest).await {
        // It is found no more the next time.
        Err(TailError::Forgotten) => return Ok(Some(Bytes::new())),
        tail => tail?.attached().clone(),
    };
    if attached.bounds.last > 0 || attached.bounds.closed {
        return Ok(None);
    }
    let note = attached.note.unwrap_or_default();
    Ok(Some(note).filter(|note| note.is_empty() || note.starts_with(WAITING)))
}

/// A stream that is empty until the upstream has answered. Dropping the reservation forgets the stream.
pub(super) struct Reservation<L: EventLog> {
    log: L,
    key: String,
    stream: Option<L::Stream>,
}

impl<L: EventLog> Reservation<L> {
    /// Waits for the upstream's answer, and gives signs of life to those who wait elsewhere.
    pub(super) async fn wait<T>(&self, lease: Duration, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        for number in 0_u64.. {
            if let Ok(answer) = timeout(lease / SIGNS, answer.as_mut()).await {
                return answer;
            }
            let sign = [WAITING, number.to_string().as_bytes()].concat().into();
            if let Some(stream) = &self.stream {
                // Without the log the others wait for nothing. That the stream was stopped shows when it starts.
                let _ = stream.append(Batch { note: Some(sign), ..Batch::default() }).await;
            }
        }
        unreachable!("nobody waits for so many signs")
    }

    /// The stream, now that the upstream answers with one. It fails if it was stopped or forgotten meanwhile.
    pub(super) async fn start(mut self) -> Result<L::Stream, AppendError> {
        let stream = self.stream.take().expect("it is taken here or when it is dropped");
        stream.append(Batch { note: Some(STARTED), ..Batch::default() }).await?;
        Ok(stream)
    }

    /// Forgets the stream: the upstream has answered with something else.
    pub(super) async fn give_up(mut self) {
        self.stream = None;
        forget(&self.log, &self.key).await;
    }
}

impl<L: EventLog> Drop for Reservation<L> {
    fn drop(&mut self) {
        if self.stream.take().is_some()
            && let Ok(runtime) = Handle::try_current()
        {
            let (log, key) = (self.log.clone(), std::mem::take(&mut self.key));
            runtime.spawn(async move { forget(&log, &key).await });
        }
    }
}

async fn forget<L: EventLog>(log: &L, key: &str) {
    if let Err(error) = log.forget(key).await {
        tracing::warn!(%error, key, "a stream without an upstream could not be forgotten");
    }
}
