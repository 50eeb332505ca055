use std::{borrow::Cow, fmt, sync::Arc};

use http::request::Parts;

/// Finds what an id names.
///
/// The future borrows neither the id nor the request: what it needs is taken out before it is made.
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
    /// What an id names; best something that is cheap to clone.
    type Value: Clone + Send + Sync + 'static;
    /// Ends in the value, or in `None` when the id names nothing that this request may know of.
    type Future: Future<Output = Result<Option<Self::Value>, Unavailable>>;

    /// Begins to look for `id` on behalf of the request with this head.
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

/// What the id of a request names, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolved<T>(pub T);

/// The resolver cannot tell now whether there is such a thing, or cannot give it.
///
/// Log the cause before saying so: it does not leave the resolver. The client is told one sentence, and when
/// to come back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unavailable {
    sentence: Cow<'static, str>,
    retry_after: u64,
}

impl Unavailable {
    /// With this sentence for the client, which may come back in a second.
    pub fn new(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { sentence: sentence.into(), retry_after: 1 }
    }

    /// Asks the client to come back after so many seconds.
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

/// What [`resolve_fn`] makes.
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
