//! The layer, its settings, and the handle to its recordings.

use std::{fmt, sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{
    Identify, Record, RecordConfig,
    registry::{self, Registry},
};
use crate::{
    reply::{Render, Renderer},
    resume::{EventLog, Sse},
};

/// Makes the event streams of an inner service that cannot resume resumable, whatever the method: it records them in a
/// log, and serves every reader from there.
///
/// An [`Identify`] says which stream a request asks for. **All requests with the same key read the same stream**: the
/// key must contain everything on which the upstream's answer depends, including the method, and the caller if callers get
/// different answers. A request body is no part of the key: take it from a header such as `Idempotency-Key`, or let the
/// layer make ids ([`StreamIds`](super::StreamIds)).
///
/// The first request for a key calls the inner service; further requests for this key wait for its response head.
/// If the response is a 200 `text/event-stream`, or another one that the [`framing`](Self::framing) accepts, a task records its body, and all readers, the first one
/// included, read from the log. The recording continues when all readers have left. Any other response goes to
/// its own caller only, and the next waiting request makes its own call. So each key has at most one call at a
/// time, and no caller receives a response that was made for another one.
///
/// - The events get their own sequence numbers. The upstream's `id:` and `retry:` fields and its comments are dropped, unless
///   an [`Sse`] keeps them ([`framing`](Self::framing)). Its response headers are dropped. The request headers `last-event-id` and `accept-encoding` are not sent to the
///   upstream, the latter because an encoded stream cannot be parsed; a response that is encoded nevertheless
///   is not recorded.
/// - A client that is gone comes back with the same request, or a `GET` with the same key, and with `Last-Event-ID`. The
///   body of a request for a stream that exists is not read.
/// - If the caller leaves before the response head has arrived, a GET is cancelled, and the call of another method goes
///   on: it may have had an effect, so it is not made again.
/// - When the upstream's body ends, the stream ends. For the time of [`retain`](Self::retain) every request can
///   still read it from any event. After that it is forgotten: a request without a last event id starts a new
///   call, and a request that names an event gets a 412.
/// - If the upstream's body fails, the last event is `error` with `{"code":"upstream_failed","message":"…"}`. Other codes:
///   `event_too_large` ([`max_event_bytes`](Self::max_event_bytes)), `recording_too_long` ([`max_time`](Self::max_time)),
///   `recording_stopped`, and `recording_lost`, see below.
/// - `DELETE` stops a stream if the [`Identify`] says so: 204, or 404 if there is none. [`Recordings::stop`] does the same
///   for a program. The upstream's body is dropped, and the stream stays readable for the time of `retain`.
/// - If `log` already holds a closed stream under the key, it is served without a call. A stream that a dead process left
///   open is continued by a new call for a GET. For another method it ends with `recording_lost`. Where several processes
///   use one log, see [`shared`](Self::shared).
///
/// Recordings are tasks on the current tokio runtime; [`recordings`](Self::recordings) ends them.
///
/// ```
/// use std::convert::Infallible;
///
/// use agent_webkit_layers::resume::{RecordLayer, RingConfig, RingLog, StreamIds};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// // A model that answers a POST with an event stream.
/// async fn model(_: Request<&'static str>) -> Result<Response<Full<Bytes>>, Infallible> {
///     let stream = "data: Hello\n\ndata: world\n\n";
///     Ok(Response::builder().header("content-type", "text/event-stream").body(stream.into()).unwrap())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Infallible> {
/// # let next_uuid = || "6b0d".to_owned();
/// let layer = RecordLayer::new(RingLog::new(RingConfig::default()), StreamIds::new(next_uuid));
/// let mut service = ServiceBuilder::new().layer(layer).service_fn(model);
///
/// let response = service.ready().await?.call(Request::post("/answers").body("Hi!").unwrap()).await?;
/// let id = response.headers()["stream-id"].clone();
///
/// // The connection was dropped after the first event.
/// let again = Request::post("/answers").header("stream-id", id).header("last-event-id", "1").body("Hi!").unwrap();
/// let rest = service.ready().await?.call(again).await?.into_body().collect().await?.to_bytes();
/// assert_eq!(rest, "id: 2\ndata: world\n\n");
/// # Ok(())
/// # }
/// ```
pub struct RecordLayer<L: EventLog, I, F = Sse> {
    identify: Arc<I>,
    config: RecordConfig,
    framing: F,
    registry: Arc<Registry<L>>,
}

impl<L: EventLog, I: Identify> RecordLayer<L, I> {
    /// Records in `log` the streams that `identify` names.
    pub fn new(log: L, identify: I) -> Self {
        Self {
            identify: Arc::new(identify),
            config: RecordConfig::default(),
            framing: Sse::new(),
            registry: Arc::new(Registry::new(log)),
        }
    }
}

impl<L: EventLog, I, F> RecordLayer<L, I, F> {
    /// Sets how the streams are divided into events, and how clients get them: [`Sse`] with settings of its own,
    /// [`Ndjson`](crate::resume::Ndjson), or your own [`Framing`](crate::resume::Framing). Default: [`Sse::new`].
    #[must_use]
    pub fn framing<G>(self, framing: G) -> RecordLayer<L, I, G> {
        let Self { identify, config, framing: _, registry } = self;
        RecordLayer { identify, config, framing, registry }
    }

    /// Sets the time for which a recording can still be read after its end. Default 5 minutes.
    #[must_use]
    pub fn retain(mut self, retain: Duration) -> Self {
        self.config.retain = retain;
        self
    }

    /// Sets the maximum size of an event that is recorded. Default 16 MiB.
    #[must_use]
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.config.max_event_bytes = bytes;
        self
    }

    /// Sets how long a stream may be recorded. Default: for as long as the upstream sends.
    #[must_use]
    pub fn max_time(mut self, time: Duration) -> Self {
        self.config.max_time = Some(time);
        self
    }

    /// Sets the maximum number of streams, running and retained. A request for one more gets a 503 with `Retry-After`.
    /// Default: 10 000. How much of a stream can be read again is a setting of the log.
    #[must_use]
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.config.max_streams = streams;
        self
    }

    /// Sets that several processes record into this log, each stream by one of them, such as gateways behind one address
    /// over a Postgres. A process reads the streams of the others as they grow, and stops them; without this setting it
    /// takes them for streams of dead processes.
    ///
    /// A process that shows no sign of life for the time `lease` counts as dead: its streams that are read here end with
    /// `recording_lost`, for every method. Each process writes such a sign three times in that time for each stream that
    /// it records, so some seconds are right. If a new key comes to several processes at once, one of them calls the
    /// upstream. The others wait until it answers: they read its stream, or make a call of their own if the answer is no
    /// stream. A log of your own implements [`EventLog::create`] for this.
    #[must_use]
    pub fn shared(mut self, lease: Duration) -> Self {
        self.config.shared = Some(lease);
        self
    }

    /// Sets the time of silence after which a stream sends the comment `: keepalive`. Default 15 s; zero means never.
    #[must_use]
    pub fn keepalive(mut self, every: Duration) -> Self {
        self.config.keepalive = Some(every);
        self
    }

    /// Sets how refusals are answered: 400, 404, 412 and 503. By default with the JSON of the
    /// [module](crate::resume#what-a-client-gets).
    ///
    /// ```
    /// use agent_webkit_layers::{
    ///     reply::Problems,
    ///     resume::{RecordLayer, RingLog, StreamIds},
    /// };
    ///
    /// # let next_uuid = || "6b0d".to_owned();
    /// let layer = RecordLayer::new(RingLog::default(), StreamIds::new(next_uuid)).render(Problems);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn render(mut self, render: impl Render + Send + Sync + 'static) -> Self {
        self.config.renderer = Renderer::new(render);
        self
    }

    /// A handle to the recordings of all services that this layer makes.
    #[must_use]
    pub fn recordings(&self) -> Recordings<L> {
        Recordings { registry: Arc::clone(&self.registry) }
    }
}

impl<S, L: EventLog, I, F: Clone> Layer<S> for RecordLayer<L, I, F> {
    type Service = Record<S, L, I, F>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { identify, config, framing, registry } = self.clone();
        Record::new(inner, identify, config, framing, registry)
    }
}

impl<L: EventLog, I, F: Clone> Clone for RecordLayer<L, I, F> {
    fn clone(&self) -> Self {
        let (identify, registry) = (Arc::clone(&self.identify), Arc::clone(&self.registry));
        Self { identify, config: self.config.clone(), framing: self.framing.clone(), registry }
    }
}

impl<L: EventLog, I, F> fmt::Debug for RecordLayer<L, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordLayer").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The recordings of a [`RecordLayer`]: those that are running, and those that have ended but can still be read.
///
/// ```
/// use agent_webkit_layers::resume::{RecordLayer, RingLog, StreamIds};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let next_uuid = || "6b0d".to_owned();
/// let layer = RecordLayer::new(RingLog::default(), StreamIds::new(next_uuid));
/// let recordings = layer.recordings();
/// assert!(!recordings.stop("unknown"));
/// recordings.shutdown().await;
/// # }
/// ```
pub struct Recordings<L: EventLog> {
    registry: Arc<Registry<L>>,
}

impl<L: EventLog> Recordings<L> {
    /// Number of recordings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.registry.len()
    }

    /// Whether there is no recording.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops the recording of `key`: the upstream's body is dropped, and the stream ends with the event `error`,
    /// `{"code":"recording_stopped","message":"…"}`. It can still be read for the time of
    /// [`retain`](RecordLayer::retain). Returns whether there is such a stream.
    pub fn stop(&self, key: &str) -> bool {
        self.registry.stop(key)
    }

    /// Forgets the recording of `key` and its stream in the event log. Its readers end, and the next request starts a
    /// new call to the upstream.
    ///
    /// # Errors
    /// The event log's error. The event log may then still hold the stream.
    pub async fn forget(&self, key: &str) -> Result<(), L::Error> {
        registry::forget(&self.registry, key).await
    }

    /// Ends all recordings, and the streams of other processes that are read here. New requests get a 503.
    ///
    /// A running recording ends with the event `error`, `{"code":"recording_stopped","message":"…"}`. Attached readers
    /// still receive the events that they have not read. Returns when no recording task is left.
    pub async fn shutdown(&self) {
        self.registry.log.end_followed();
        self.registry.shutdown().await;
    }
}

impl<L: EventLog> Clone for Recordings<L> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry) }
    }
}

impl<L: EventLog> fmt::Debug for Recordings<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recordings").field("len", &self.len()).finish_non_exhaustive()
    }
}
