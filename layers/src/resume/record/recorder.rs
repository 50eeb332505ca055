//! The task that copies an upstream's events into an event log.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http_body::Body;

use crate::resume::{AppendError, Batch, Event, EventLog, EventStream, EventTooLarge, Framing, ReadEvents};

use super::{
    config::{RecordConfig, SIGNS},
    registry::Recording,
};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a recording ends.
enum End {
    Upstream,
    UpstreamFailed(BoxError),
    TooLarge(EventTooLarge),
    TooLong(Duration),
    Stopped,
    Log(AppendError),
}

impl From<EventTooLarge> for End {
    fn from(error: EventTooLarge) -> Self {
        Self::TooLarge(error)
    }
}

impl From<AppendError> for End {
    fn from(error: AppendError) -> Self {
        Self::Log(error)
    }
}

/// Records `body` to its end, keeps the recording for the configured time, then forgets it.
pub(super) async fn run<L, B, F>(mut recording: Recording<L>, body: B, config: RecordConfig, framing: F)
where
    L: EventLog,
    F: Framing,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let every = config.shared.map(|lease| lease / SIGNS);
    let copy = copy(&mut recording, body, framing.reader(config.max_event_bytes), every);
    let end = match config.max_time {
        Some(time) => tokio::time::timeout(time, copy).await.unwrap_or(End::TooLong(time)),
        None => copy.await,
    };
    if matches!(end, End::Log(AppendError::Fenced)) && config.shared.is_some() {
        // Another process has ended the stream, and has its last event.
        return;
    }
    if let Some(event) = last_event(&end, &framing)
        && let Err(error @ AppendError::Unavailable(_)) = recording.stream.append(event.into()).await
    {
        tracing::warn!(%error, "the end of a recording could not be recorded");
    }
    recording.stream.close();
    let forgotten = tokio::time::timeout(config.retain, recording.forgotten()).await;
    if forgotten.is_err()
        && let Err(error) = recording.forget().await
    {
        tracing::warn!(%error, "a recording could not be forgotten");
    }
}

/// Gives a sign of life in each period `every` of silence.
async fn copy<L, B>(
    recording: &mut Recording<L>,
    body: B,
    mut reader: impl ReadEvents,
    every: Option<Duration>,
) -> End
where
    L: EventLog,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let mut signs = 0_u64;
    loop {
        let next = next_bytes(recording, body.as_mut());
        let next = match every {
            Some(every) => tokio::time::timeout(every, next).await,
            None => Ok(next.await),
        };
        let Ok(next) = next else {
            signs += 1;
            let sign = Batch { note: Some(signs.to_string().into()), ..Batch::default() };
            match recording.stream.append(sign).await {
                // The next sign, or the next event, may find the log there again.
                Ok(_) | Err(AppendError::Unavailable(_)) => continue,
                Err(error) => return error.into(),
            }
        };
        let bytes = match next {
            Ok(bytes) => bytes,
            Err(end) => {
                let mut events = Vec::new();
                reader.end(&mut events);
                return append(&recording.stream, events).await.map_or_else(End::from, |()| end);
            }
        };
        if let Err(end) = read(&recording.stream, &mut reader, &bytes).await {
            return end;
        }
        // An upstream that is always ready must not block the thread.
        tokio::task::consume_budget().await;
    }
}

async fn next_bytes<L, B>(recording: &mut Recording<L>, mut body: Pin<&mut B>) -> Result<Bytes, End>
where
    L: EventLog,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut stopped = pin!(recording.stopped());
    let frame = poll_fn(|cx| match stopped.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(End::Stopped)),
        Poll::Pending => body.as_mut().poll_frame(cx).map(Ok),
    });
    match frame.await? {
        Some(Ok(frame)) => Ok(frame.into_data().unwrap_or_default()),
        Some(Err(error)) => Err(End::UpstreamFailed(error.into())),
        None => Err(End::Upstream),
    }
}

async fn read(stream: &impl EventStream, reader: &mut impl ReadEvents, bytes: &[u8]) -> Result<(), End> {
    let mut events = Vec::new();
    let pushed = reader.push(bytes, &mut events);
    append(stream, events).await?;
    Ok(pushed?)
}

async fn append(stream: &impl EventStream, events: Vec<Event>) -> Result<(), AppendError> {
    if !events.is_empty() {
        stream.append(Batch::new(events)).await?;
    }
    Ok(())
}

/// The last event of a stream whose recording process died.
pub(super) fn lost_event(framing: &impl Framing) -> Event {
    let message = "The recording was lost: the process that made it ended before the upstream's stream did.";
    framing.failure("recording_lost", message)
}

/// The last event of a stream that was stopped.
pub(super) fn stopped_event(framing: &impl Framing) -> Event {
    let message = "The recording was stopped before the upstream's stream ended.";
    framing.failure("recording_stopped", message)
}

/// The last event for readers if the recording ended for another reason than the upstream's end.
fn last_event(end: &End, framing: &impl Framing) -> Option<Event> {
    let (code, message) = match end {
        End::Upstream | End::Log(AppendError::Closed) => return None,
        End::UpstreamFailed(error) => {
            ("upstream_failed", format!("The upstream's stream broke off: {error}."))
        }
        End::TooLarge(error) => ("event_too_large", format!("The recording was stopped: {error}.")),
        End::TooLong(time) => (
            "recording_too_long",
            format!("The recording was stopped: it took longer than {} s.", time.as_secs_f64()),
        ),
        End::Stopped => return Some(stopped_event(framing)),
        End::Log(error) => {
            tracing::error!(%error, "a recording ends: its log does not take events");
            ("log_failed", "The recording was stopped: the event log does not take events.".to_owned())
        }
    };
    Some(framing.failure(code, &message))
}
