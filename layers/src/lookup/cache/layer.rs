use std::{fmt, time::Duration};

use http::request::Parts;
use tower_layer::Layer;

use super::{Cached, IdKey, limits::Limits};
use crate::lookup::Resolve;

/// Applies [`Cached`] to a resolver.
///
/// ```
/// use std::{future::ready, time::Duration};
///
/// use agent_webkit_layers::lookup::{Resolve, cache::CacheLayer, resolve_fn};
/// use http::{Request, request::Parts};
/// use tower::Layer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let plans = resolve_fn(|tenant: &str, _: &Parts| ready(Ok((tenant == "acme").then_some("gold"))));
/// let cached = CacheLayer::by_id(Duration::from_secs(60)).layer(plans);
///
/// let (request, ()) = Request::new(()).into_parts();
/// assert_eq!(cached.resolve("acme", &request).await, Ok(Some("gold")));
/// cached.forget("acme"); // The plan has changed.
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct CacheLayer<K = IdKey> {
    key: K,
    limits: Limits,
}

impl CacheLayer {
    /// Keeps each value for this time. Its key is the id alone, so **all callers get the same value**: for a resolver that
    /// looks at who asks, use [`by`](CacheLayer::by).
    #[must_use]
    pub fn by_id(ttl: Duration) -> Self {
        Self::by(ttl, |id, _| id.to_owned())
    }
}

impl<K> CacheLayer<K> {
    /// Keeps each value for this time. `key` makes its key from the id and the head of the request. It must contain
    /// everything at which the resolver looks, such as the caller.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use agent_webkit_layers::lookup::cache::CacheLayer;
    /// use http::request::Parts;
    ///
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// let layer = CacheLayer::by(Duration::from_secs(60), |id: &str, request: &Parts| {
    ///     let tenant = request.extensions.get::<Tenant>().map_or("", |tenant| &tenant.0);
    ///     format!("{tenant}/{id}")
    /// });
    /// # let _ = layer;
    /// ```
    pub fn by(ttl: Duration, key: K) -> Self
    where
        K: Fn(&str, &Parts) -> String,
    {
        Self { key, limits: Limits { ttl, unknown: Duration::ZERO, max_entries: 10_000 } }
    }

    /// Sets the time for which an unknown id stays unknown. By default it is looked up each time. That a resolver was
    /// [`Unavailable`](crate::lookup::Unavailable) is never kept.
    #[must_use]
    pub fn unknown_for(mut self, time: Duration) -> Self {
        self.limits.unknown = time;
        self
    }

    /// Sets the maximum number of entries. Beyond it the oldest one is dropped. Default: 10 000.
    #[must_use]
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.limits.max_entries = entries;
        self
    }
}

impl<R: Resolve, K: Clone> Layer<R> for CacheLayer<K> {
    type Service = Cached<R, K>;

    fn layer(&self, resolver: R) -> Self::Service {
        Cached::new(resolver, self.key.clone(), self.limits)
    }
}

impl<K> fmt::Debug for CacheLayer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer").field("limits", &self.limits).finish_non_exhaustive()
    }
}
