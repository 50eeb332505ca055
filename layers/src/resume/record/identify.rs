//! Which stream a request asks for.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue, request::Parts};

/// Finds out which stream a request asks for.
///
/// Every `Fn(&Parts) -> Option<String>` is one: it returns the key of the stream, or `None` for a request that passes to
/// the inner service unchanged. A function may also return [`Asked`]. [`StreamIds`] gives every stream an id of its own.
///
/// ```
/// use agent_webkit_layers::resume::{Asked, RecordLayer, RingLog};
/// use http::{HeaderValue, request::Parts};
///
/// /// A stream for each key that a client chooses. Other requests are not recorded.
/// fn by_key(request: &Parts) -> Asked {
///     match request.headers.get("idempotency-key").map(HeaderValue::to_str) {
///         Some(Ok(key)) => Asked::Stream(format!("{} {} {key}", request.method, request.uri.path())),
///         _ => Asked::Nothing,
///     }
/// }
///
/// let layer = RecordLayer::new(RingLog::default(), by_key);
/// # let _ = layer;
/// ```
pub trait Identify: Send + Sync + 'static {
    /// What this request asks for.
    fn identify(&self, request: &Parts) -> Asked;

    /// The header in which a response names its stream, if clients have to know it.
    fn header(&self) -> Option<&HeaderName> {
        None
    }

    /// Whether `DELETE` stops the stream that it names.
    fn delete_stops(&self) -> bool {
        false
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing that is recorded: it passes to the inner service.
    Nothing,
    /// The stream of this key. If there is none, the request starts it.
    Stream(String),
    /// The stream of this key, which must exist.
    Existing(String),
    /// A new stream, with this key.
    New(String),
    /// A new stream with this key, in place of the one that there may be: that one stops and is forgotten. For a chat whose
    /// readers know its id alone and want its newest answer.
    Anew(String),
}

impl From<Option<String>> for Asked {
    fn from(key: Option<String>) -> Self {
        key.map_or(Self::Nothing, Self::Stream)
    }
}

impl<F, A> Identify for F
where
    F: Fn(&Parts) -> A + Send + Sync + 'static,
    A: Into<Asked>,
{
    fn identify(&self, request: &Parts) -> Asked {
        self(request).into()
    }
}

/// Ids that the layer makes. A request without an id gets a new stream, if the response is an event stream; the
/// response has the id in the header `stream-id`. A request with an id, in that header or in the query parameter
/// `stream_id`, reads that stream, whatever its method and path. `DELETE` with an id stops the stream.
///
/// Whoever knows an id can read its stream: make ids that cannot be guessed, or put a layer outside of this one that
/// checks who asks.
///
/// ```
/// use agent_webkit_layers::resume::{RecordLayer, RingLog, StreamIds};
/// use http::HeaderName;
///
/// # let next_uuid = || "6b0d".to_owned();
/// let ids = StreamIds::new(next_uuid).in_header(HeaderName::from_static("x-run")).in_query("run");
/// let layer = RecordLayer::new(RingLog::default(), ids);
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct StreamIds {
    make: Arc<dyn Fn() -> String + Send + Sync>,
    header: HeaderName,
    query: &'static str,
}

impl StreamIds {
    /// Ids from this function, such as `|| Uuid::new_v4().to_string()`. An id must be a valid header value.
    pub fn new(make: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make), header: HeaderName::from_static("stream-id"), query: "stream_id" }
    }

    /// Sets the header with the id, of requests and responses. Default: `stream-id`.
    #[must_use]
    pub fn in_header(self, header: HeaderName) -> Self {
        Self { header, ..self }
    }

    /// Sets the query parameter with the id. Default: `stream_id`.
    #[must_use]
    pub fn in_query(self, parameter: &'static str) -> Self {
        Self { query: parameter, ..self }
    }
}

impl Identify for StreamIds {
    fn identify(&self, request: &Parts) -> Asked {
        let header = request.headers.get(&self.header).map(HeaderValue::as_bytes);
        let query = request.uri.query().unwrap_or_default().split('&');
        let query = query.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == self.query);
        let id = header.or(query.map(|(_, id)| id.as_bytes())).filter(|id| !id.is_empty());
        match id {
            Some(id) => Asked::Existing(String::from_utf8_lossy(id).into_owned()),
            None => Asked::New((self.make)()),
        }
    }

    fn header(&self) -> Option<&HeaderName> {
        Some(&self.header)
    }

    fn delete_stops(&self) -> bool {
        true
    }
}

impl fmt::Debug for StreamIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamIds")
            .field("header", &self.header)
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}
