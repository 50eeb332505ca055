//! What a request and a session agree on about one input: either it takes effect, or the request was answered
//! that it does not.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::oneshot;

/// In the mailbox.
const WAITS: u8 = 0;
/// The session has taken it; what it caused is not in the log yet.
const TAKEN: u8 = 1;
/// The session has answered.
const ANSWERED: u8 = 2;
/// The request no longer waits.
const GIVEN_UP: u8 = 3;

/// The session's side: the answer to an input.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    state: Arc<AtomicU8>,
    outcome: oneshot::Sender<T>,
}

/// The request's side. Dropped, it withdraws an input that the session has not taken.
#[derive(Debug)]
pub(crate) struct Receipt<T> {
    state: Arc<AtomicU8>,
    outcome: oneshot::Receiver<T>,
}

pub(crate) fn receipt<T>() -> (Reply<T>, Receipt<T>) {
    let (sender, outcome) = oneshot::channel();
    let state = Arc::new(AtomicU8::new(WAITS));
    (Reply { state: Arc::clone(&state), outcome: sender }, Receipt { state, outcome })
}

impl<T> Reply<T> {
    /// Marks the input as taken; `false` if the request has given it up.
    pub(crate) fn take(&self) -> bool {
        step(&self.state, WAITS, TAKEN)
    }

    /// Answers; `false` if the request was told already that the input has no effect.
    pub(crate) fn send(self, outcome: T) -> bool {
        let counts = step(&self.state, TAKEN, ANSWERED) || step(&self.state, WAITS, ANSWERED);
        // Fails if the client has hung up, which takes nothing back.
        let _ = self.outcome.send(outcome);
        counts
    }
}

impl<T> Receipt<T> {
    /// The answer; `None` if the session has ended.
    pub(crate) async fn outcome(&mut self) -> Option<T> {
        (&mut self.outcome).await.ok()
    }

    /// Withdraws the input; `false` if its answer is on its way.
    pub(crate) fn give_up(&self) -> bool {
        step(&self.state, WAITS, GIVEN_UP) || step(&self.state, TAKEN, GIVEN_UP)
    }
}

impl<T> Drop for Receipt<T> {
    fn drop(&mut self) {
        step(&self.state, WAITS, GIVEN_UP);
    }
}

fn step(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_input_is_answered_or_given_up_and_never_both() {
        let (reply, mut receipt) = receipt();
        assert!(reply.take() && reply.send("done"));
        assert!(!receipt.give_up());
        assert!(matches!(receipt.outcome().await, Some("done")));

        let (reply, receipt) = super::receipt();
        assert!(reply.take() && receipt.give_up());
        assert!(!reply.send("done"));
    }

    #[test]
    fn one_that_nobody_waits_for_is_not_taken_but_goes_on_if_it_was() {
        let (reply, receipt) = receipt::<()>();
        drop(receipt);
        assert!(!reply.take());

        let (reply, receipt) = super::receipt();
        assert!(reply.take());
        drop(receipt);
        assert!(reply.send(()));
    }
}
