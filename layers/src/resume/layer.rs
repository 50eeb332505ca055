//! The layer and its settings.

use std::{fmt, sync::Arc, time::Duration};

use http::request::Parts;
use tower_layer::Layer;

use super::{Attachment, Resume, keepalive::DEFAULT_KEEPALIVE};
use crate::reply::{Render, Renderer};

/// Answers requests for the streams of your own event log, resumably. For an upstream that does not support resuming, see
/// [`RecordLayer`](super::RecordLayer).
///
/// See the [module](super) for what a client gets.
pub struct ResumeLayer<F> {
    find: Arc<F>,
    keepalive: Option<Duration>,
    renderer: Renderer,
}

impl<F> ResumeLayer<F> {
    /// Answers GET and HEAD requests from the stream that `find` returns, without calling the inner service. A
    /// request for which `find` returns `None`, or with another method, passes to the inner service unchanged.
    ///
    /// ```
    /// use agent_webkit_layers::resume::{Attachment, ResumeLayer, RingConfig, RingStream};
    ///
    /// let ticker = RingStream::new(RingConfig::default());
    /// let layer = ResumeLayer::attach(move |request| {
    ///     (request.uri.path() == "/ticker").then(|| Attachment::new(ticker.clone()))
    /// });
    /// # let _ = layer;
    /// ```
    pub fn attach<St>(find: F) -> Self
    where
        F: Fn(&Parts) -> Option<Attachment<St>>,
    {
        Self { find: Arc::new(find), keepalive: Some(DEFAULT_KEEPALIVE), renderer: Renderer::JSON }
    }

    /// Sets the time of silence after which a stream sends the comment `: keepalive`. Default 15 s; zero means never.
    #[must_use]
    pub fn keepalive(mut self, every: Duration) -> Self {
        self.keepalive = Some(every);
        self
    }

    /// Sets how refusals are answered. By default with the JSON of the [module](super#what-a-client-gets).
    #[must_use]
    pub fn render(mut self, render: impl Render + Send + Sync + 'static) -> Self {
        self.renderer = Renderer::new(render);
        self
    }
}

impl<S, F> Layer<S> for ResumeLayer<F> {
    type Service = Resume<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Resume::new(inner, Arc::clone(&self.find), self.keepalive, self.renderer.clone())
    }
}

impl<F> Clone for ResumeLayer<F> {
    fn clone(&self) -> Self {
        Self { find: Arc::clone(&self.find), keepalive: self.keepalive, renderer: self.renderer.clone() }
    }
}

impl<F> fmt::Debug for ResumeLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeLayer").field("keepalive", &self.keepalive).finish_non_exhaustive()
    }
}
