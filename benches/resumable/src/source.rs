//! The streams that all servers make resumable.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use serde::Deserialize;
use tokio::time::{Interval, interval};

/// The query of a request for a stream.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Settings {
    /// Number of events.
    pub(crate) events: usize,
    /// Milliseconds between two events.
    #[serde(default)]
    pace: u64,
    /// Size of an event's data, in bytes.
    #[serde(default)]
    bytes: usize,
    /// If not 0, the stream stays open and silent after its last event.
    #[serde(default)]
    hold: u8,
}

/// The data of the events, one by one.
pub(crate) struct Source {
    settings: Settings,
    filler: String,
    sent: usize,
    clock: Interval,
}

impl Source {
    pub(crate) fn new(settings: Settings) -> Self {
        let filler = "x".repeat(settings.bytes.saturating_sub(20));
        Self { settings, filler, sent: 0, clock: interval(Duration::from_millis(settings.pace.max(1))) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        if self.sent == self.settings.events {
            return if self.settings.hold == 0 { Poll::Ready(None) } else { Poll::Pending };
        }
        ready!(self.clock.poll_tick(cx));
        self.sent += 1;
        Poll::Ready(Some(format!("{{\"n\":{:06},\"text\":\"{}\"}}", self.sent - 1, self.filler)))
    }
}

/// As the body of an upstream's response.
impl Body for Source {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = ready!(self.poll(cx));
        Poll::Ready(data.map(|data| Ok(Frame::data(format!("data: {data}\n\n").into()))))
    }
}
