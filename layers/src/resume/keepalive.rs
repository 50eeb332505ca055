//! The timer for keepalive comments on a silent stream.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The default time of silence before a keepalive comment: 15 s.
pub const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(15);

/// Fires after each period `every` of silence. Activity does not reset the timer: if there was activity when it
/// fires, it is set again for the rest of the period.
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
