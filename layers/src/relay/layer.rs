use std::fmt;

use http::{Uri, request::Parts};
use tower_layer::Layer;

use super::{Relay, forward::Forward};

/// Applies [`Relay`]: requests that belong to another host are forwarded to it.
///
/// ```
/// use agent_webkit_layers::relay::RelayLayer;
/// use http::{Uri, request::Parts};
///
/// fn to_reports<C>(client: C) -> RelayLayer<C, impl Fn(&Parts) -> Option<Uri> + Clone> {
///     let reports = Uri::from_static("http://10.0.0.2:8000");
///     RelayLayer::new(client, move |request: &Parts| {
///         request.uri.path().starts_with("/reports/").then(|| reports.clone())
///     })
/// }
/// # let _ = to_reports(());
/// ```
#[derive(Clone, Copy)]
pub struct RelayLayer<C, F> {
    forward: Forward<C, F>,
}

impl<C, F> RelayLayer<C, F>
where
    F: Fn(&Parts) -> Option<Uri>,
{
    /// A layer that forwards a request to the URI that `place` returns, through `client`. For `None` the request passes to
    /// the inner service. The URI has a scheme and an authority, and perhaps a path, which is put before the request's.
    pub const fn new(client: C, place: F) -> Self {
        Self { forward: Forward { client, place, most_hops: 1 } }
    }
}

impl<C, F> RelayLayer<C, F> {
    /// Sets how many times a request may be forwarded. Default: once.
    #[must_use]
    pub const fn most_hops(mut self, hops: u32) -> Self {
        self.forward.most_hops = hops;
        self
    }
}

impl<S, C: Clone, F: Clone> Layer<S> for RelayLayer<C, F> {
    type Service = Relay<S, C, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Relay { inner, forward: self.forward.clone() }
    }
}

impl<C, F> fmt::Debug for RelayLayer<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayLayer").field("forward", &self.forward).finish()
    }
}
