//! The events of a session as a stream.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    SessionHandle,
    frames::{Frames, SessionEvent},
};
use crate::{
    layers::resume::{Cursor, EventLog, EventStream, RingLog, Tail, TailError},
    proto::client::ServerEvent,
    service::{
        error::SessionError,
        session::{
            live::End,
            place::Place,
            session_state::session_state,
            watched::{WatchedStream, WatchedTail},
        },
    },
};

/// The events of a session from a [`Cursor`] on: those that exist, then `session_state`, then each new one.
///
/// It is a reader like those over HTTP: it keeps the session in memory, and gets the same events in the same order.
/// After `done` it ends. Otherwise it ends with an error; [`SessionHandle::events`] with the last
/// [`SessionEvent::seq`] then continues without a gap, where that is possible.
///
/// | error | when |
/// |---|---|
/// | [`Evicted`](SessionError::Evicted) | events after the cursor are no longer held, or this reader was too slow |
/// | [`Ahead`](SessionError::Ahead) | the event of the cursor was never sent |
/// | [`NotFound`](SessionError::NotFound) | the session does not exist, or was deleted before all was read |
/// | [`TakenOver`](SessionError::TakenOver) | another host serves the session now |
/// | [`Unavailable`](SessionError::Unavailable) | the server is shutting down, or the event log is not available |
pub struct SessionEvents<L: EventLog = RingLog> {
    handle: SessionHandle<L>,
    state: State<L>,
}

enum State<L: EventLog> {
    Attaching(Attaching<L>),
    Following(Box<Following<L>>),
    Ended,
}

type Attaching<L> = Pin<Box<dyn Future<Output = Result<Following<L>, SessionError>> + Send>>;

struct Following<L: EventLog> {
    place: Place<L>,
    tail: WatchedTail<<L::Stream as EventStream>::Tail>,
    /// The frame of `session_state`, until the replay is over.
    session_state: Option<Bytes>,
    given: u64,
    replay_end: u64,
    frames: Frames,
    done: bool,
}

/// How a stream ended.
enum Ended {
    Done,
    /// The session has left memory, and can be attached to again.
    Released {
        after: u64,
    },
    Failed(SessionError),
}

impl<L: EventLog> SessionHandle<L> {
    /// Reads the session's events, as `GET …/stream` does. The returned stream attaches to the session when it is first
    /// polled.
    #[must_use]
    pub fn events(&self, cursor: Cursor) -> SessionEvents<L> {
        SessionEvents { handle: self.clone(), state: State::Attaching(attach(self.clone(), cursor)) }
    }
}

impl<L: EventLog> SessionEvents<L> {
    /// The next event; `None` after `done` and after an error. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<SessionEvent, SessionError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

fn attach<L: EventLog>(handle: SessionHandle<L>, cursor: Cursor) -> Attaching<L> {
    Box::pin(async move {
        loop {
            let place = handle.current().await?.place;
            let stream = WatchedStream::of(&place, true);
            match stream.tail(cursor).await {
                // It has left memory since it was found.
                Err(TailError::Fenced) if was_released(&place) => tokio::task::yield_now().await,
                tail => return Ok(Following::new(place, tail?)),
            }
        }
    })
}

impl<L: EventLog> Following<L> {
    fn new(place: Place<L>, tail: WatchedTail<<L::Stream as EventStream>::Tail>) -> Self {
        let attached = tail.attached();
        let (given, replay_end) = (attached.after, attached.bounds.last);
        let session_state = session_state(attached);
        Self { place, tail, session_state, given, replay_end, frames: Frames::new(), done: false }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<SessionEvent, Ended>> {
        loop {
            if let Some(event) = self.frames.pop() {
                self.done = matches!(event.event, ServerEvent::Done(_));
                return Poll::Ready(Ok(event));
            }
            if self.done {
                return Poll::Ready(Err(Ended::Done));
            }
            if self.given >= self.replay_end
                && let Some(state) = self.session_state.take()
            {
                self.frames.push(&state);
                continue;
            }
            match ready!(self.tail.poll_counted(cx)) {
                Some(Ok(chunk)) => {
                    self.given = chunk.last_seq;
                    self.frames.push(&chunk.bytes);
                }
                Some(Err(_)) if self.tail.was_forgotten() => {
                    return Poll::Ready(Err(Ended::Failed(lost(&self.place))));
                }
                Some(Err(evicted)) => {
                    self.tail.count_eviction();
                    return Poll::Ready(Err(Ended::Failed(SessionError::Evicted(evicted))));
                }
                None if was_released(&self.place) => {
                    return Poll::Ready(Err(Ended::Released { after: self.given }));
                }
                None => return Poll::Ready(Err(Ended::Failed(lost(&self.place)))),
            }
        }
    }
}

/// Whether a stream that ended can be attached to again.
fn was_released<L: EventLog>(place: &Place<L>) -> bool {
    match place {
        Place::Here(live) => live.end.get() == Some(&End::Released),
        // What is followed ends also when the session is deleted, which the next attempt finds out.
        Place::Elsewhere(remote) => !remote.ending.server.is_cancelled(),
    }
}

/// Why a stream has ended without `done`.
fn lost<L: EventLog>(place: &Place<L>) -> SessionError {
    let Place::Here(live) = place else { return SessionError::unavailable("the server is shutting down") };
    match live.end.get() {
        _ if live.ending.server.is_cancelled() => SessionError::unavailable("the server is shutting down"),
        _ if live.is_deleted() => SessionError::NotFound,
        Some(End::Closed) => SessionError::NotFound,
        Some(End::Fenced) => SessionError::taken_over("another host has taken the session over"),
        Some(End::LogLost) => SessionError::unavailable("the event log is not available now; try again"),
        Some(End::Released | End::Suspended) | None => {
            SessionError::unavailable("the session has left memory; try again")
        }
    }
}

impl<L: EventLog> Stream for SessionEvents<L> {
    type Item = Result<SessionEvent, SessionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let ended = match &mut self.state {
                State::Attaching(attaching) => match ready!(attaching.as_mut().poll(cx)) {
                    Ok(following) => {
                        self.state = State::Following(Box::new(following));
                        continue;
                    }
                    Err(error) => Ended::Failed(error),
                },
                State::Following(following) => match ready!(following.poll_event(cx)) {
                    Ok(event) => return Poll::Ready(Some(Ok(event))),
                    Err(ended) => ended,
                },
                State::Ended => return Poll::Ready(None),
            };
            self.state = State::Ended;
            match ended {
                Ended::Done => {}
                Ended::Released { after } => {
                    let handle = self.handle.clone();
                    self.state = State::Attaching(attach(handle, Cursor::After(after)));
                }
                Ended::Failed(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl<L: EventLog> fmt::Debug for SessionEvents<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvents").field("session", &self.handle).finish_non_exhaustive()
    }
}
