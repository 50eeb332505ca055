//! The layer and its settings.

use std::time::Duration;

use http::request::Parts;
use tower_layer::Layer;

use super::{
    Attach, Attachment, EventLog, Record, Recordings, Resume, keepalive::DEFAULT_KEEPALIVE,
    record::RecordConfig,
};

/// Makes event streams resumable: [`ResumeLayer::attach`] for the streams of your own event log,
/// [`ResumeLayer::record`] for an upstream that does not support resuming.
///
/// See the [module](super) for what a client gets.
#[derive(Clone, Debug)]
pub struct ResumeLayer<M> {
    mode: M,
    keepalive: Option<Duration>,
}

impl<F> ResumeLayer<Attach<F>> {
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
        Self::new(Attach::new(find))
    }
}

impl<L: EventLog, K> ResumeLayer<Record<L, K>> {
    /// Records the inner service's event streams in `log` and serves every reader from there.
    ///
    /// `key` returns the key of the stream that a request asks for; a request without a key passes to the inner
    /// service unchanged. **All requests with the same key read the same stream**: the key must contain everything
    /// on which the upstream's answer depends, including the caller if callers get different answers.
    ///
    /// The first GET for a key calls the inner service; further requests for this key wait for its response head.
    /// If the response is a 200 `text/event-stream`, a task records its body, and all readers, the first one
    /// included, read from the log. The recording continues when all readers have left. Any other response goes to
    /// its own caller only, and the next waiting request makes its own call. So each key has at most one call at a
    /// time, and no caller receives a response that was made for another one. If the caller leaves before its
    /// response head has arrived, the call is cancelled.
    ///
    /// - The events get their own sequence numbers. The upstream's `id:` and `retry:` fields, its comments and its
    ///   response headers are dropped. The request headers `last-event-id` and `accept-encoding` are not sent to the
    ///   upstream, the latter because an encoded stream cannot be parsed; a response that is encoded nevertheless
    ///   is not recorded.
    /// - When the upstream's body ends, the stream ends. For the time of [`ResumeLayer::retain`] every request can
    ///   still read it from any event. After that it is forgotten: a request without a last event id starts a new
    ///   call, and a request that names an event gets a 412.
    /// - If the upstream's body fails, the last event is `error` with
    ///   `{"code":"upstream_failed","message":"…"}`. An event larger than [`ResumeLayer::max_event_bytes`] ends
    ///   the recording in the same way with the code `event_too_large`.
    /// - If `log` already holds a closed stream under the key, it is served without a call. A stream that a dead
    ///   process left open is continued by a new call.
    ///
    /// Recordings are tasks on the current tokio runtime; [`ResumeLayer::recordings`] ends them.
    pub fn record(log: L, key: K) -> Self
    where
        K: Fn(&Parts) -> Option<String>,
    {
        Self::new(Record::new(log, key))
    }

    /// Sets the time for which a recording can still be read after its end. Default 5 minutes.
    #[must_use]
    pub fn retain(self, retain: Duration) -> Self {
        self.configure(|config| config.retain = retain)
    }

    /// Sets the maximum size of an event that is recorded. Default 16 MiB.
    #[must_use]
    pub fn max_event_bytes(self, bytes: usize) -> Self {
        self.configure(|config| config.max_event_bytes = bytes)
    }

    /// A handle to the recordings of all services that this layer makes.
    #[must_use]
    pub fn recordings(&self) -> Recordings<L> {
        self.mode.recordings()
    }

    fn configure(mut self, set: impl FnOnce(&mut RecordConfig)) -> Self {
        set(self.mode.config_mut());
        self
    }
}

impl<M> ResumeLayer<M> {
    fn new(mode: M) -> Self {
        Self { mode, keepalive: Some(DEFAULT_KEEPALIVE) }
    }

    /// Sets the time of silence after which a stream sends the comment `: keepalive`. Default 15 s; zero means never.
    #[must_use]
    pub fn keepalive(mut self, every: Duration) -> Self {
        self.keepalive = Some(every);
        self
    }
}

impl<S, M: Clone> Layer<S> for ResumeLayer<M> {
    type Service = Resume<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Resume::new(inner, self.mode.clone(), self.keepalive)
    }
}
