use std::fmt;

use http::request::Parts;
use tower_layer::Layer;

use super::Lookup;

/// Applies [`Lookup`]: an id in the request becomes a value in its extensions, or a 404.
///
/// Every service that the layer makes, and every clone of it, has a clone of the extractor and the resolver: put a
/// resolver that is expensive to clone into an [`Arc`](std::sync::Arc).
#[derive(Clone, Copy)]
pub struct LookupLayer<X, R> {
    extract: X,
    resolver: R,
    not_found: &'static str,
}

impl<X, R> LookupLayer<X, R> {
    /// A layer that extracts an id from a request with `extract` and looks it up with this
    /// [`Resolve`](super::Resolve). A request without an id passes through.
    pub const fn new<I>(extract: X, resolver: R) -> Self
    where
        X: Fn(&Parts) -> Option<I>,
        I: AsRef<str>,
    {
        Self { extract, resolver, not_found: "there is nothing with this id" }
    }

    /// Sets the sentence of the 404. Default: "there is nothing with this id".
    #[must_use]
    pub const fn not_found(mut self, sentence: &'static str) -> Self {
        self.not_found = sentence;
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
            not_found: self.not_found,
        }
    }
}

impl<X, R> fmt::Debug for LookupLayer<X, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupLayer").finish_non_exhaustive()
    }
}
