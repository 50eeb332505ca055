use std::{
    fmt,
    task::{Context, Poll},
};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::presented;

/// Applies [`TakeTicket`], which moves a ticket from the URL into the extensions, as a
/// [`Presented`](super::Presented).
///
/// Put it outside of every layer that logs or traces the URL. A second one further inside does no harm.
///
/// ```
/// use agent_webkit_layers::{
///     auth::{AuthLayer, StaticTokens},
///     ticket::TicketLayer,
/// };
/// use tower::ServiceBuilder;
///
/// let layers = ServiceBuilder::new().layer(TicketLayer::new()).layer(AuthLayer::new(StaticTokens::default()));
/// # let _ = layers;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TicketLayer(());

impl TicketLayer {
    /// The layer.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for TicketLayer {
    type Service = TakeTicket<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TakeTicket { inner }
    }
}

/// Removes `?ticket=` from a request's URL before the inner service sees it.
#[derive(Clone, Copy)]
pub struct TakeTicket<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for TakeTicket<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        presented::take(&mut parts.uri, &mut parts.extensions);
        self.inner.call(Request::from_parts(parts, body))
    }
}

impl<S> fmt::Debug for TakeTicket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeTicket").finish_non_exhaustive()
    }
}
