//! Streams that other processes record into the same log.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{config::SIGNS, recorder::BoxError, registry::Registry};
use crate::resume::{Cursor, Event, EventLog, EventStream, Tail, TailError};

/// What a live process changes.
#[derive(PartialEq)]
struct Sign {
    last: u64,
    note: Option<Bytes>,
}

/// Watches a stream that another process records, for as long as it has readers here. If that process gives no sign of
/// life for this time, ends the stream with the event `lost`, and forgets it after `retain`.
pub(super) fn watch<L: EventLog>(
    registry: &Arc<Registry<L>>,
    key: &str,
    lease: Duration,
    lost: Event,
    retain: Duration,
) {
    let Some(watch) = registry.watch(key) else { return };
    tokio::spawn(async move {
        let (log, key) = (&watch.registry.log, &watch.key);
        let (mut seen, mut since) = (None, Instant::now());
        loop {
            match sign(log, key).await {
                Ok(None) => return,
                Ok(sign) if sign != seen => (seen, since) = (sign, Instant::now()),
                Ok(_) if since.elapsed() >= lease => break,
                Ok(_) => {}
                // Nothing can be said of others while the log cannot be read.
                Err(_) => since = Instant::now(),
            }
            sleep(lease / SIGNS).await;
            if watch.registry.is_shut() || !log.followed().contains(key) {
                return;
            }
        }
        tracing::info!(key, "the process that recorded a stream is dead");
        if let Err(error) = end(log, key, lost).await {
            tracing::warn!(%error, key, "the stream of a dead process could not be ended");
            return;
        }
        sleep(retain).await;
        if watch.registry.recorded(key).is_none()
            && let Err(error) = log.forget(key).await
        {
            tracing::warn!(%error, key, "a recording could not be forgotten");
        }
    });
}

/// `None` if the stream is over.
async fn sign<L: EventLog>(log: &L, key: &str) -> Result<Option<Sign>, BoxError> {
    let Some(stream) = log.find(key).await?.filter(|stream| !stream.bounds().closed) else { return Ok(None) };
    let last = stream.bounds().last;
    match stream.tail(Cursor::After(last)).await {
        Ok(tail) => Ok(Some(Sign { last, note: tail.attached().note.clone() })),
        Err(TailError::Forgotten) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Stops a stream that another process records. Returns whether there is such a stream. That process notices at its next
/// event or sign of life.
pub(super) async fn stop<L: EventLog>(log: &L, key: &str, stopped: Event) -> Result<bool, BoxError> {
    match log.find(key).await? {
        Some(stream) if stream.bounds().closed => Ok(true),
        Some(_) => end(log, key, stopped).await.map(|()| true),
        None => Ok(false),
    }
}

/// Takes a stream over and ends it with this event.
async fn end<L: EventLog>(log: &L, key: &str, last: Event) -> Result<(), BoxError> {
    let stream = log.open(key).await?;
    stream.append(last.into()).await?;
    stream.close();
    Ok(())
}
