use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use crate::sync::lock;

/// Tells the streams that a credential opened that it was revoked, before it expired.
///
/// A verifier gives one to each [`Principal`](super::Principal) whose credential it may revoke, and keeps a clone. The
/// layer in `expiry` (feature `expiry`) ends the streams.
///
/// ```
/// use agent_webkit_layers::auth::{Principal, Revocation};
///
/// let revocation = Revocation::new();
/// let ada = Principal::new("ada").revocable_by(revocation.clone());
/// assert!(!ada.is_revoked());
/// revocation.revoke();
/// assert!(ada.is_revoked());
/// ```
#[derive(Clone, Default)]
pub struct Revocation(Arc<Shared>);

#[derive(Default)]
struct Shared {
    revoked: AtomicBool,
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, Waker>>,
}

impl Revocation {
    /// A credential that is not revoked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes the credential, for all clones and for ever.
    pub fn revoke(&self) {
        let waiting = {
            let mut waiting = lock(&self.0.waiting);
            self.0.revoked.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Whether the credential was revoked.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.0.revoked.load(Ordering::Acquire)
    }

    /// A future that is ready once the credential is revoked. It may be polled again after that.
    #[must_use]
    pub fn revoked(&self) -> Revoked {
        Revoked { of: self.clone(), number: self.0.last.fetch_add(1, Ordering::Relaxed), waker: None }
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("revoked", &self.is_revoked()).finish()
    }
}

/// The future of [`Revocation::revoked`].
pub struct Revoked {
    of: Revocation,
    number: u64,
    waker: Option<Waker>,
}

impl Future for Revoked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.of.is_revoked() {
            return Poll::Ready(());
        }
        // All streams of a credential share the lock, so it is taken only when there is something to change.
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            let mut waiting = lock(&self.of.0.waiting);
            if self.of.is_revoked() {
                return Poll::Ready(());
            }
            waiting.insert(self.number, cx.waker().clone());
            drop(waiting);
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Revoked {
    fn drop(&mut self) {
        if self.waker.is_some() {
            let waker = lock(&self.of.0.waiting).remove(&self.number);
            drop(waker);
        }
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Revoked").field(&self.of).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_future_is_woken_once_by_its_newest_waker() {
        let revocation = Revocation::new();
        let (old, new) = (Arc::<Count>::default(), Arc::<Count>::default());
        let mut futures = [revocation.revoked(), revocation.revoked()];
        for count in [&old, &old, &new] {
            let waker = Arc::clone(count).into();
            for future in &mut futures {
                assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
            }
        }
        revocation.clone().revoke();
        assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 2));
        for mut future in futures {
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }

    #[test]
    fn a_future_that_is_dropped_leaves_nothing_behind() {
        let revocation = Revocation::new();
        let mut future = revocation.revoked();
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
        assert!(lock(&revocation.0.waiting).is_empty());
    }
}
