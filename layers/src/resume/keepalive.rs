//! When to say that a silent stream is still there.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The silence after which a stream gets a comment, unless another is asked for: 15 s.
pub const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(15);

/// Fires after each `every` of silence. The timer is armed at the first wait and left alone by activity:
/// when it fires too early for what has happened since, it is armed for the rest.
#[derive(Debug)]
pub(super) struct Keepalive {
    every: Duration,
    last_activity: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Keepalive {
    /// `None` and zero mean never.
    pub(super) fn new(every: Option<Duration>) -> Option<Self> {
        let every = every.filter(|every| !every.is_zero())?;
        Some(Self { every, last_activity: None, timer: None })
    }

    pub(super) fn activity(&mut self) {
        self.last_activity = Some(Instant::now());
    }

    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = *self.last_activity.get_or_insert_with(Instant::now) + self.every;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= due {
                self.last_activity = Some(now);
                timer.as_mut().reset(now + self.every);
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
