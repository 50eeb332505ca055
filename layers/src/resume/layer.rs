//! The layer and its settings.

use std::time::Duration;

use http::request::Parts;
use tower_layer::Layer;

use super::{
    Attach, Attachment, EventLog, Record, Recordings, Resume, keepalive::DEFAULT_KEEPALIVE,
    record::RecordConfig,
};

/// Makes event streams resumable: [`ResumeLayer::attach`] for streams that lie in a log of yours,
/// [`ResumeLayer::record`] for an upstream that knows nothing of resuming.
///
/// See the [module](super) for what a client gets.
#[derive(Clone, Debug)]
pub struct ResumeLayer<M> {
    mode: M,
    keepalive: Option<Duration>,
}

impl<F> ResumeLayer<Attach<F>> {
    /// Answers a GET or HEAD request for which `find` gives a stream from that stream, without a call to
    /// the inner service. Every other request passes untouched.
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
    /// Records what the inner service streams into `log` and serves every reader from there.
    ///
    /// `key` names the stream that a request asks for; a request without a key passes untouched. **Who
    /// has the key reads the stream**: put into it everything that decides what the upstream answers, the
    /// caller included where callers see different things.
    ///
    /// The first GET for a key calls the inner service, others for the same key wait for that one's
    /// response head. If it is a 200 `text/event-stream`, a task records its body and everybody reads
    /// from the log, the first one too; the recording goes on when all readers leave. If it is anything
    /// else, it goes to its own caller only, and of those that waited the next one makes its own call: so
    /// there is never more than one call per key under way, and nobody is given an answer meant for
    /// another. A caller that leaves before its response head came cancels its call.
    ///
    /// - The events get sequence numbers of their own; the upstream's `id:` and `retry:` fields and
    ///   comments are dropped, and so are its response headers. `last-event-id` and `accept-encoding` are
    ///   kept from the upstream, the latter because an encoded stream cannot be read (one that comes
    ///   encoded all the same is not recorded).
    /// - The upstream ends: the stream ends. It can be read again for the time of
    ///   [`ResumeLayer::retain`], by everybody and from any place. After that it is forgotten: a request
    ///   without a last event id starts a new call, one that names an event is told 412.
    /// - The upstream breaks off: the last event is `error` with
    ///   `{"code":"upstream_failed","message":"…"}`. An event over [`ResumeLayer::max_event_bytes`] ends
    ///   the recording in the same way with the code `event_too_large`.
    /// - A `log` that already holds a closed stream under the key serves it without a call; one that was
    ///   left open, by a process that died, is continued by a new call.
    ///
    /// Recordings are tasks on the current tokio runtime; [`ResumeLayer::recordings`] ends them.
    pub fn record(log: L, key: K) -> Self
    where
        K: Fn(&Parts) -> Option<String>,
    {
        Self::new(Record::new(log, key))
    }

    /// How long a recording that has ended can still be read. Default 5 minutes.
    #[must_use]
    pub fn retain(self, retain: Duration) -> Self {
        self.configure(|config| config.retain = retain)
    }

    /// The largest event that is recorded. Default 16 MiB.
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

    /// After so much silence a stream gets the comment `: keepalive`. Default 15 s; zero: never.
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
