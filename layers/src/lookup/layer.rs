use std::fmt;

use http::request::Parts;
use tower_layer::Layer;

use super::{Lookup, answers::Answers};
use crate::reply::{Render, Renderer};

/// Applies [`Lookup`]: an id in the request becomes a value in its extensions, or a 404.
///
/// Every service that the layer makes, and every clone of it, has a clone of the extractor and the resolver: put a
/// resolver that is expensive to clone into an [`Arc`](std::sync::Arc).
///
/// ```
/// use std::{collections::HashMap, future::ready};
///
/// use agent_webkit_layers::lookup::{LookupLayer, ids, resolve_fn};
/// use http::request::Parts;
///
/// let rooms = HashMap::from([("1".to_owned(), "the library")]);
/// let find = resolve_fn(move |id: &str, _: &Parts| ready(Ok(rooms.get(id).copied())));
/// let layer = LookupLayer::new(ids::path("/rooms/{id}/*"), find).not_found("there is no such room");
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct LookupLayer<X, R> {
    extract: X,
    resolver: R,
    answers: Answers,
}

impl<X, R> LookupLayer<X, R> {
    /// A layer that extracts an id from a request with `extract` and looks it up with this
    /// [`Resolve`](super::Resolve). A request without an id passes through. The functions in [`ids`](super::ids) extract
    /// ids by name.
    pub const fn new<I>(extract: X, resolver: R) -> Self
    where
        X: Fn(&Parts) -> Option<I>,
        I: AsRef<str>,
    {
        Self { extract, resolver, answers: Answers::DEFAULT }
    }

    /// Sets the sentence of the 404. Default: "there is nothing with this id".
    #[must_use]
    pub fn not_found(mut self, sentence: &'static str) -> Self {
        self.answers.not_found = sentence;
        self
    }

    /// Sets how the 404 and the 503 are answered. By default with the JSON of the [module](super#answers).
    ///
    /// ```
    /// use std::future::ready;
    ///
    /// use agent_webkit_layers::{
    ///     lookup::{LookupLayer, ids, resolve_fn},
    ///     reply::Problems,
    /// };
    /// use http::request::Parts;
    ///
    /// let rooms = resolve_fn(|id: &str, _: &Parts| ready(Ok((id == "1").then_some("the library"))));
    /// let layer = LookupLayer::new(ids::path("/rooms/{id}"), rooms).render(Problems);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn render(mut self, render: impl Render + Send + Sync + 'static) -> Self {
        self.answers.renderer = Renderer::new(render);
        self
    }
}

impl<S, X: Clone, R: Clone> Layer<S> for LookupLayer<X, R> {
    type Service = Lookup<S, X, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Lookup {
            inner,
            extract: self.extract.clone(),
            resolver: self.resolver.clone(),
            answers: self.answers.clone(),
        }
    }
}

impl<X, R> fmt::Debug for LookupLayer<X, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupLayer").finish_non_exhaustive()
    }
}
