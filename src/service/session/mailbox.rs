//! The bounded queue of a session's inputs.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use tokio::sync::Notify;

use crate::sync::lock;

/// Creates a queue of at most `capacity` items with one sender, which can be shared, and one receiver.
///
/// An empty queue allocates no buffer. A tokio channel allocates room for 32 items at once, which is much for
/// a session that is idle.
pub(crate) fn mailbox<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = Mutex::new(State { waiting: Vec::new(), receiver: None, closed: false });
    let shared = Arc::new(Shared { state, closed: Notify::new(), capacity });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

/// The sending end.
pub(crate) struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving end. Dropping it closes the mailbox and drops the queued items.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

/// Why an item was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    Full,
    Closed,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Notified once, when the mailbox closes.
    closed: Notify,
    capacity: usize,
}

struct State<T> {
    waiting: Vec<T>,
    receiver: Option<Waker>,
    closed: bool,
}

impl<T> Sender<T> {
    /// Queues an item, without waiting for room.
    pub(crate) fn send(&self, mail: T) -> Result<(), SendError> {
        let receiver = {
            let mut state = self.shared.lock();
            if state.closed {
                return Err(SendError::Closed);
            }
            if state.waiting.len() >= self.shared.capacity {
                return Err(SendError::Full);
            }
            state.waiting.push(mail);
            state.receiver.take()
        };
        // After the lock is released, because a waker may run any code.
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }

    /// Waits until the mailbox is closed.
    pub(crate) async fn closed(&self) {
        // Created before the check: it is notified only of what happens after its creation.
        let closing = self.shared.closed.notified();
        if !self.shared.lock().closed {
            closing.await;
        }
    }
}

impl<T> Receiver<T> {
    /// Waits until items are queued and returns all of them, oldest first. Cancel safe.
    pub(crate) async fn recv_all(&mut self) -> Vec<T> {
        poll_fn(|cx| self.poll_all(cx)).await
    }

    fn poll_all(&self, cx: &Context<'_>) -> Poll<Vec<T>> {
        let mut state = self.shared.lock();
        if state.waiting.is_empty() {
            let displaced = state.receiver.replace(cx.waker().clone());
            drop(state);
            drop(displaced);
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.waiting))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shared.lock().waiting.is_empty()
    }

    /// Closes the mailbox and returns the items that are still queued.
    pub(crate) fn close(&self) -> Vec<T> {
        let (waiting, receiver) = {
            let mut state = self.shared.lock();
            state.closed = true;
            (std::mem::take(&mut state.waiting), state.receiver.take())
        };
        drop(receiver);
        self.shared.closed.notify_waiters();
        waiting
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_sent_comes_at_once_and_in_order() {
        let (sender, mut receiver) = mailbox(8);
        assert!(receiver.is_empty());
        (0..3).for_each(|n| sender.send(n).unwrap());
        assert_eq!(receiver.recv_all().await, [0, 1, 2]);
        assert!(receiver.is_empty());
    }

    #[tokio::test]
    async fn a_receiver_that_waits_is_woken() {
        let (sender, mut receiver) = mailbox(8);
        let received = tokio::spawn(async move { receiver.recv_all().await });
        tokio::task::yield_now().await;
        sender.send(1).unwrap();
        assert_eq!(received.await.unwrap(), [1]);
    }

    #[tokio::test]
    async fn it_is_bounded() {
        let (sender, mut receiver) = mailbox(2);
        assert_eq!([1, 2, 3].map(|n| sender.send(n)), [Ok(()), Ok(()), Err(SendError::Full)]);
        receiver.recv_all().await;
        assert_eq!(sender.send(3), Ok(()));
    }

    #[tokio::test]
    async fn a_closed_one_gives_what_waits_and_takes_nothing() {
        let (sender, receiver) = mailbox(2);
        sender.send(1).unwrap();
        assert_eq!(receiver.close(), [1]);
        assert_eq!(sender.send(2), Err(SendError::Closed));
        assert!(receiver.close().is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_for_the_end_is_told_of_it_before_and_after() {
        let (sender, receiver) = mailbox::<()>(2);
        let sender = Arc::new(sender);
        let told = tokio::spawn({
            let sender = Arc::clone(&sender);
            async move { sender.closed().await }
        });
        tokio::task::yield_now().await;
        assert!(!told.is_finished());
        drop(receiver);
        told.await.unwrap();
        sender.closed().await;
    }

    #[tokio::test]
    async fn what_waits_is_dropped_with_the_receiver() {
        let (sender, receiver) = mailbox(2);
        let (reply, replied) = oneshot::channel::<()>();
        sender.send(reply).unwrap();
        drop(receiver);
        assert!(replied.await.is_err());
    }
}
