use std::{fmt, pin::Pin, sync::Arc};

use super::{Digest, Grant, StoreError, TicketStore};

/// A boxed ticket store, for hosts that choose one at run time. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::ticket::{BoxTicketStore, MemoryStore, Tickets};
///
/// let tickets = Tickets::new(BoxTicketStore::new(MemoryStore::default()));
/// # let _ = tickets;
/// ```
#[derive(Clone)]
pub struct BoxTicketStore(Arc<dyn Erased>);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`TicketStore`] with boxed futures, which makes it dyn-compatible.
trait Erased: Send + Sync {
    fn put(&self, digest: Digest, grant: Grant, keep: usize) -> BoxFuture<'_, ()>;
    fn get(&self, digest: Digest) -> BoxFuture<'static, Option<Grant>>;
}

impl<S> Erased for S
where
    S: TicketStore<Get: Send + 'static> + Send + Sync,
{
    fn put(&self, digest: Digest, grant: Grant, keep: usize) -> BoxFuture<'_, ()> {
        Box::pin(TicketStore::put(self, digest, grant, keep))
    }

    fn get(&self, digest: Digest) -> BoxFuture<'static, Option<Grant>> {
        Box::pin(TicketStore::get(self, digest))
    }
}

impl BoxTicketStore {
    /// Boxes this ticket store.
    pub fn new<S>(store: S) -> Self
    where
        S: TicketStore<Get: Send + 'static> + Send + Sync + 'static,
    {
        Self(Arc::new(store))
    }
}

impl TicketStore for BoxTicketStore {
    type Get = BoxFuture<'static, Option<Grant>>;

    fn put(
        &self,
        digest: Digest,
        grant: Grant,
        keep: usize,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.0.put(digest, grant, keep)
    }

    fn get(&self, digest: Digest) -> Self::Get {
        self.0.get(digest)
    }
}

impl fmt::Debug for BoxTicketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxTicketStore").finish_non_exhaustive()
    }
}
