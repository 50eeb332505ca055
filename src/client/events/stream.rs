//! The event stream: connects, reads, reconnects.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use http::{HeaderValue, Method, Response, StatusCode};
use tokio::time::{Sleep, sleep, timeout};

use super::{
    Item,
    connection::{Connection, Step},
    reader::Read,
};
use crate::{
    backoff::Backoff,
    client::{
        Error, HttpService,
        exchange::{Call, Endpoint, Repeat},
        http::ResponseBody,
    },
    proto::client::{ServerEvent, SessionInfo},
};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A session's events, each once and in order, over as many connections as it takes.
///
/// It ends after `done`, or when the session is gone (404). It connects again after everything else that passes: a lost
/// or silent connection, an eviction, a restart of the server; with growing, random pauses, never shorter than the
/// server's `retry:` or `Retry-After`. An error ends it: 404 for a session that was never there, another refusal, or an
/// answer that is not the protocol.
///
/// [`next`](Self::next) can be dropped at any time, as in `tokio::select!`, and loses nothing. The stream is a
/// [`futures_core::Stream`] as well.
#[must_use = "a stream connects once it is polled"]
pub struct EventStream<S> {
    endpoint: Endpoint<S>,
    /// The session's path.
    path: String,
    last: Option<u64>,
    /// Whether the session was there once.
    known: bool,
    /// The pauses since the last event; none after an event.
    backoff: Option<Backoff>,
    shortest_pause: Duration,
    phase: Phase,
}

enum Phase {
    Idle,
    Connecting(Boxed<Response<ResponseBody>>),
    Reading(Box<Connection>),
    Pausing(Pin<Box<Sleep>>),
    Resetting(Boxed<SessionInfo>),
    Ended,
}

impl<S> EventStream<S> {
    pub(in crate::client) fn new(endpoint: Endpoint<S>, path: String, last: Option<u64>) -> Self {
        let shortest_pause = endpoint.pauses.0;
        Self { endpoint, path, last, known: false, backoff: None, shortest_pause, phase: Phase::Idle }
    }

    /// The number of the last event that was received or compacted, from which
    /// [`events_after`](crate::client::Session::events_after) continues in another process.
    #[must_use]
    pub fn last_seq(&self) -> Option<u64> {
        self.last
    }

    fn end<T>(&mut self, item: T) -> T {
        self.phase = Phase::Ended;
        item
    }

    /// Pauses, and reports why.
    fn reconnect(&mut self, reason: Error) -> Item {
        let (shortest, longest) = (self.shortest_pause, self.shortest_pause.max(self.endpoint.pauses.1));
        let backoff = self.backoff.get_or_insert_with(|| Backoff::jittered(shortest, longest));
        let after = backoff.next_pause().max(reason.retry_after().unwrap_or_default());
        self.phase = Phase::Pausing(Box::pin(sleep(after)));
        Item::Reconnecting { reason, after }
    }
}

impl<S: HttpService> EventStream<S> {
    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// As for the [stream](Self). The stream ends with the error.
    pub async fn next(&mut self) -> Option<Result<Item, Error>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Item, Error>>> {
        loop {
            match &mut self.phase {
                Phase::Idle => self.phase = Phase::Connecting(self.connect()),
                Phase::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                    Ok(response) => match Connection::new(response, self.endpoint.silence) {
                        Ok(connection) => {
                            self.known = true;
                            self.phase = Phase::Reading(Box::new(connection));
                        }
                        Err(error) => return Poll::Ready(self.end(Some(Err(error)))),
                    },
                    Err(error) => {
                        if let Some(item) = self.not_connected(error) {
                            return Poll::Ready(item);
                        }
                    }
                },
                Phase::Reading(connection) => {
                    let step = ready!(connection.poll_step(cx, &mut self.last));
                    if let Some(item) = self.take(step) {
                        return Poll::Ready(Some(item));
                    }
                }
                Phase::Pausing(pause) => {
                    ready!(pause.as_mut().poll(cx));
                    self.phase = Phase::Idle;
                }
                Phase::Resetting(state) => {
                    let state = ready!(state.as_mut().poll(cx));
                    return Poll::Ready(self.reset(state));
                }
                Phase::Ended => return Poll::Ready(None),
            }
        }
    }

    fn connect(&self) -> Boxed<Response<ResponseBody>> {
        let mut call = Call::new(Method::GET, format!("{}/stream", self.path), "");
        call.header = self.last.map(|last| ("last-event-id", HeaderValue::from(last)));
        let (endpoint, limit) = (self.endpoint.clone(), self.endpoint.silence);
        Box::pin(async move {
            match timeout(limit, endpoint.once(&call)).await {
                Ok(answered) => answered,
                Err(_) => Err(Error::Transport(format!("no answer came within {limit:?}").into())),
            }
        })
    }

    /// Decides after a try to connect that failed. `None` goes on at once.
    fn not_connected(&mut self, error: Error) -> Option<Option<Result<Item, Error>>> {
        if error.has_status(StatusCode::NOT_FOUND) && self.known {
            return Some(self.end(None));
        }
        if error.has_status(StatusCode::PRECONDITION_FAILED) && self.last.is_some() {
            let (endpoint, call) = (self.endpoint.clone(), Call::new(Method::GET, self.path.clone(), ""));
            self.phase =
                Phase::Resetting(Box::pin(async move { endpoint.json(&call, Repeat::Always).await }));
            return None;
        }
        if error.is_temporary() {
            return Some(Some(Ok(self.reconnect(error))));
        }
        Some(self.end(Some(Err(error))))
    }

    /// Handles a connection's step. `None` goes on at once.
    fn take(&mut self, step: Result<Step, Error>) -> Option<Result<Item, Error>> {
        match step {
            Ok(Step::Read(Read::Item(item))) => {
                match &item {
                    Item::Event(event) if matches!(event.event, ServerEvent::Done(_)) => {
                        self.phase = Phase::Ended;
                    }
                    Item::Event(_) => self.backoff = None,
                    _ => {}
                }
                Some(Ok(item))
            }
            Ok(Step::Read(Read::Keepalive)) => {
                self.backoff = None;
                None
            }
            Ok(Step::Read(Read::Retry(time))) => {
                (self.shortest_pause, self.backoff) = (time.max(self.endpoint.pauses.0), None);
                None
            }
            Ok(Step::Read(Read::Ending(failed))) => {
                let reason = format!("{}: {}", failed.code, failed.message);
                Some(Ok(self.reconnect(Error::Transport(reason.into()))))
            }
            Ok(Step::Lost(error)) => Some(Ok(self.reconnect(error))),
            Err(error) => Some(self.end(Err(error))),
        }
    }

    fn reset(&mut self, state: Result<SessionInfo, Error>) -> Option<Result<Item, Error>> {
        let state = match state {
            Ok(state) => Some(Box::new(state)),
            // A ticket opens the stream and not this route. If the credential is no longer valid at all, the stream's own
            // answer says so.
            Err(error)
                if error.has_status(StatusCode::UNAUTHORIZED) || error.has_status(StatusCode::FORBIDDEN) =>
            {
                None
            }
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => return self.end(None),
            Err(error) if error.is_temporary() => return Some(Ok(self.reconnect(error))),
            Err(error) => return self.end(Some(Err(error))),
        };
        (self.last, self.known, self.phase) = (None, true, Phase::Idle);
        Some(Ok(Item::Reset(state)))
    }
}

/// Nothing in it is pinned in place.
impl<S> Unpin for EventStream<S> {}

impl<S: HttpService> Stream for EventStream<S> {
    type Item = Result<Item, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<S> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("path", &self.path)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
