use std::{borrow::Cow, fmt, sync::Arc};

use http::request::Parts;

/// Looks up the value of an id.
///
/// The future borrows neither the id nor the request: `resolve` copies what the future needs.
///
/// ```
/// use std::{collections::HashMap, future::{Ready, ready}, sync::{Arc, RwLock}};
///
/// use agent_webkit_layers::lookup::{Resolve, Unavailable};
/// use http::request::Parts;
///
/// struct Rooms(RwLock<HashMap<String, Arc<Room>>>);
/// struct Room;
///
/// impl Resolve for Rooms {
///     type Value = Arc<Room>;
///     type Future = Ready<Result<Option<Arc<Room>>, Unavailable>>;
///
///     fn resolve(&self, id: &str, _parts: &Parts) -> Self::Future {
///         ready(match self.0.read() {
///             Ok(rooms) => Ok(rooms.get(id).cloned()),
///             Err(_) => Err(Unavailable::default()),
///         })
///     }
/// }
/// # fn is_resolve<R: Resolve>() {}
/// # is_resolve::<Rooms>();
/// ```
pub trait Resolve {
    /// The value of an id. It should be cheap to clone.
    type Value: Clone + Send + Sync + 'static;
    /// Resolves to the value, or to `None` if the id is unknown or this caller may not know that it exists.
    type Future: Future<Output = Result<Option<Self::Value>, Unavailable>>;

    /// Starts to look up `id` for the request with this head.
    fn resolve(&self, id: &str, parts: &Parts) -> Self::Future;
}

impl<R: Resolve + ?Sized> Resolve for &R {
    type Value = R::Value;
    type Future = R::Future;

    fn resolve(&self, id: &str, parts: &Parts) -> Self::Future {
        (**self).resolve(id, parts)
    }
}

impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    type Value = R::Value;
    type Future = R::Future;

    fn resolve(&self, id: &str, parts: &Parts) -> Self::Future {
        (**self).resolve(id, parts)
    }
}

/// The value of a request's id, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolved<T>(pub T);

/// The resolver cannot look up the id now.
///
/// A resolver should log the cause, because this error does not carry it. The client receives the sentence and a
/// `Retry-After`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unavailable {
    sentence: Cow<'static, str>,
    retry_after: u64,
}

impl Unavailable {
    /// An error with this sentence for the client, which may retry after one second.
    pub fn new(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { sentence: sentence.into(), retry_after: 1 }
    }

    /// Sets the seconds of `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = seconds;
        self
    }

    pub(super) fn seconds(&self) -> u64 {
        self.retry_after
    }
}

impl Default for Unavailable {
    fn default() -> Self {
        Self::new("this cannot be looked up now, try again later")
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Unavailable {}

/// A [`Resolve`] from a closure over the id and the request's head.
///
/// ```
/// use agent_webkit_layers::lookup::{Unavailable, resolve_fn};
/// use http::request::Parts;
/// # async fn load(id: String) -> Result<Option<u64>, std::io::Error> { Ok(id.parse().ok()) }
///
/// let numbers = resolve_fn(|id: &str, _: &Parts| {
///     let id = id.to_owned();
///     async move { load(id).await.map_err(|_| Unavailable::default()) }
/// });
/// # let _ = numbers;
/// ```
pub const fn resolve_fn<F, T, Fut>(f: F) -> ResolveFn<F>
where
    F: Fn(&str, &Parts) -> Fut,
    Fut: Future<Output = Result<Option<T>, Unavailable>>,
{
    ResolveFn(f)
}

/// The resolver that [`resolve_fn`] returns.
#[derive(Clone, Copy)]
pub struct ResolveFn<F>(F);

impl<F, T, Fut> Resolve for ResolveFn<F>
where
    F: Fn(&str, &Parts) -> Fut,
    Fut: Future<Output = Result<Option<T>, Unavailable>>,
    T: Clone + Send + Sync + 'static,
{
    type Value = T;
    type Future = Fut;

    fn resolve(&self, id: &str, parts: &Parts) -> Self::Future {
        (self.0)(id, parts)
    }
}

impl<F> fmt::Debug for ResolveFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResolveFn").field(&std::any::type_name::<F>()).finish()
    }
}
