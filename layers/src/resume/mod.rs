//! Makes server-sent event streams resumable: a client that reconnects with `Last-Event-ID` receives the events
//! after the last one that it has seen.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use agent_webkit_layers::resume::{RecordLayer, RingConfig, RingLog};
//! use bytes::Bytes;
//! use http::{Request, Response, request::Parts};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! // An upstream that streams two events and does not support resuming.
//! async fn upstream(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let stream = "data: first\n\ndata: second\n\n";
//!     Ok(Response::builder().header("content-type", "text/event-stream").body(stream.into()).unwrap())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Infallible> {
//! let log = RingLog::new(RingConfig::default());
//! let mut service = ServiceBuilder::new()
//!     .layer(RecordLayer::new(log, |request: &Parts| Some(request.uri.path().to_owned())))
//!     .service_fn(upstream);
//!
//! let request = Request::get("/news").body(()).unwrap();
//! let response = service.ready().await?.call(request).await?;
//! let stream = response.into_body().collect().await?.to_bytes();
//! assert_eq!(stream, "id: 1\ndata: first\n\nid: 2\ndata: second\n\n");
//!
//! let request = Request::get("/news").header("last-event-id", "1").body(()).unwrap();
//! let response = service.ready().await?.call(request).await?;
//! let rest = response.into_body().collect().await?.to_bytes();
//! assert_eq!(rest, "id: 2\ndata: second\n\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Terms
//!
//! - An *event log* ([`EventLog`]) keeps one *stream* of events for each key, such as a path or a session's id. The
//!   log numbers the events of a stream: the *sequence number* starts at 1 and rises by 1.
//! - A *frame* is one event as it is sent, in the format of server-sent events.
//! - A *reader* is a client that is connected to a stream. It first gets the *replay*, the events that exist already,
//!   and then *live* events. A [`Tail`] is its position in the stream.
//! - The *window* is the range of events that a new reader can get. In a [`RingLog`] it has the newest 1000 events of a
//!   stream, at most 64 MiB. Older events are no longer *held*.
//! - The *lag budget* is the maximum size of the events that are kept for a connected reader which is slower than the
//!   stream, even if they have left the window: 8 MiB. [`RingConfig`] sets the window and the lag budget.
//! - The *note* of a stream is a summary of all its events so far, which the writer may store together with a batch of
//!   events. An attached stream can send it to each reader between replay and live events; see [`Attachment::state`].
//!
//! # What a client gets
//!
//! Every event is one frame, `id: <seq>\nevent: <name>\ndata: <line>\n\n`, where `seq` is its sequence number. A GET
//! request names the last event that the client has seen in the header `Last-Event-ID` or the query parameter
//! `last_event_id` (the header wins). Without either, the stream starts at the oldest event held.
//!
//! | answer | when, and with what |
//! |---|---|
//! | 200 `text/event-stream` | the events after the last one seen, without a gap or a duplicate, then live events; `: keepalive` after 15 s of silence |
//! | 400 | the id is not a number |
//! | 412 | events after the id are no longer held, or the id was never sent |
//! | 503 with `retry-after` | the event log cannot be read now, or another process has taken the stream over |
//!
//! Errors have the body `{"detail": "<one sentence>"}`. A reader that still has more than the lag budget to read, part
//! of which has left the window, is *evicted*: it receives a last frame without an id, `event: error` with
//! `{"code":"evicted",…}`, and its stream ends. So no event is ever skipped silently. HEAD gets the same status and
//! headers without a body. Other methods pass to the inner service, except in [`RecordLayer`].
//!
//! # Two ways to use it
//!
//! - Your own events: append them to an [`EventStream`] of an [`EventLog`]. Let [`ResumeLayer::attach`] answer
//!   requests from it, or answer them in your own service with [`Attachment::answer`].
//! - Events of an *upstream*, that is an inner service that answers with an event stream, such as a proxy: put
//!   [`RecordLayer`] around it, as in the example above. It works for every method, so that the answer to a `POST` can be
//!   resumed as well. A [`Framing`] keeps the upstream's own ids ([`Sse`]), or has lines of JSON ([`Ndjson`]).
//!
//! [`RingLog`] is an event log in memory. For events that survive a restart, implement [`EventLog`] over a database.

mod attach;
mod body;
mod cursor;
mod follow;
mod frame;
mod framing;
mod future;
mod keepalive;
mod layer;
mod log;
mod parse;
mod record;
mod respond;
mod ring;
mod service;

pub use attach::Attachment;
pub use body::ResponseBody;
pub use cursor::{InvalidLastEventId, last_event_id};
pub use follow::Follow;
pub use frame::{encode_frame, encode_frame_into};
#[cfg(feature = "rmcp")]
pub(crate) use framing::events;
pub use framing::{Framing, Ndjson, NdjsonReader, ReadEvents, Reframed, Sse, SseReader};
pub use future::ResponseFuture;
pub use keepalive::DEFAULT_KEEPALIVE;
pub use layer::ResumeLayer;
pub use log::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
    Tail, TailError,
};
pub use parse::{EventParser, EventTooLarge, ParsedEvent, ParsedItem};
pub use record::{Asked, Identify, Record, RecordLayer, Recordings, StreamIds};
pub use ring::{RingConfig, RingLog, RingStream, RingTail};
pub use service::Resume;
