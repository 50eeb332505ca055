//! One future that several tasks wait for.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::lock;

/// A future that everybody who waits for it drives, so that it goes on when some of them leave.
pub(super) struct Flight<F: Future> {
    state: Mutex<State<F>>,
    waiting: Arc<Waiting>,
}

enum State<F: Future> {
    Running(Pin<Box<F>>),
    Landed(F::Output),
    /// It panicked, or has not started.
    Lost,
}

/// What a poll of a flight that has ended finds.
pub(super) enum Landed<T> {
    /// This poll ended it.
    Now(T),
    Before(T),
    Lost,
}

/// A flight that is locked for its start.
pub(super) struct Start<'a, F: Future>(MutexGuard<'a, State<F>>);

impl<F: Future> Start<'_, F> {
    pub(super) fn with(mut self, future: F) {
        *self.0 = State::Running(Box::pin(future));
    }
}

impl<F: Future> Flight<F> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State::Lost), waiting: Arc::default() }
    }

    /// Locks the flight until its future is there. Who polls it meanwhile waits.
    pub(super) fn start(&self) -> Start<'_, F> {
        Start(lock(&self.state))
    }

    /// Stops to wake the task with this number.
    pub(super) fn leave(&self, number: u64) {
        let waker = lock(&self.waiting.0).remove(&number);
        drop(waker);
    }
}

impl<F: Future<Output: Clone>> Flight<F> {
    /// Polls for the task with this number.
    pub(super) fn poll(&self, number: u64, cx: &Context<'_>) -> Poll<Landed<F::Output>> {
        let mut state = lock(&self.state);
        // Taken out, so that nobody polls it again after a panic.
        let mut future = match std::mem::replace(&mut *state, State::Lost) {
            State::Running(future) => future,
            State::Landed(output) => {
                *state = State::Landed(output.clone());
                return Poll::Ready(Landed::Before(output));
            }
            State::Lost => return Poll::Ready(Landed::Lost),
        };
        lock(&self.waiting.0).insert(number, cx.waker().clone());
        let mut end = End { waiting: &self.waiting, come: true };
        let all = Waker::from(Arc::clone(&self.waiting));
        match future.as_mut().poll(&mut Context::from_waker(&all)) {
            Poll::Pending => {
                end.come = false;
                *state = State::Running(future);
                Poll::Pending
            }
            Poll::Ready(output) => {
                *state = State::Landed(output.clone());
                Poll::Ready(Landed::Now(output))
            }
        }
    }
}

/// The tasks that wait, by their numbers.
#[derive(Default)]
struct Waiting(Mutex<HashMap<u64, Waker>>);

impl Waiting {
    fn wake_all(&self) {
        let waiting = std::mem::take(&mut *lock(&self.0));
        waiting.into_values().for_each(Waker::wake);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

/// Wakes everybody when the future has ended, also by a panic.
struct End<'a> {
    waiting: &'a Waiting,
    come: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.come {
            self.waiting.wake_all();
        }
    }
}
