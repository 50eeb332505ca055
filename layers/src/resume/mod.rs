//! Makes server-sent event streams resumable: a client that reconnects with `Last-Event-ID` receives the events
//! after the last one that it has seen.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use agent_webkit_layers::resume::{ResumeLayer, RingConfig, RingLog};
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
//!     .layer(ResumeLayer::record(log, |request: &Parts| Some(request.uri.path().to_owned())))
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
//! # What a client gets
//!
//! Every event is one frame, `id: <seq>\nevent: <name>\ndata: <line>\n\n`, whose `seq` starts at 1 and rises
//! by 1. A GET request names the last event that the client has seen in the header `Last-Event-ID` or the query
//! parameter `last_event_id` (the header wins). Without either, the stream starts at the oldest event held.
//!
//! | answer | |
//! |---|---|
//! | 200 `text/event-stream` | the events after the last one seen, without a gap or a duplicate, then live events; `: keepalive` after 15 s of silence |
//! | 400 | the id is not a number |
//! | 412 | events after the id are no longer held, or the id was never sent |
//! | 503 with `retry-after` | the event log cannot be read now, or another process has taken the stream over |
//!
//! Errors have the body `{"detail": "<one sentence>"}`. A reader that falls behind the window by more than
//! its lag budget receives a last frame without an id, `event: error` with `{"code":"evicted",…}`: no
//! event is ever skipped silently. HEAD gets the same head. Other methods pass to the inner service.
//!
//! # Two ways to use it
//!
//! - Your own events: append them to an [`EventStream`] of an [`EventLog`]. Let [`ResumeLayer::attach`] answer
//!   requests from it, or answer them in your own service with [`Attachment::answer`].
//! - Events of an upstream: [`ResumeLayer::record`], as above.
//!
//! [`RingLog`] is an event log in memory; a durable event log implements [`EventLog`].

mod attach;
mod body;
mod cursor;
mod follow;
mod frame;
mod future;
mod keepalive;
mod layer;
mod log;
mod parse;
mod record;
mod respond;
mod ring;
mod service;

pub use attach::{Attach, Attachment};
pub use body::ResponseBody;
pub use cursor::{InvalidLastEventId, last_event_id};
pub use follow::Follow;
pub use frame::{encode_frame, encode_frame_into};
pub use future::ResponseFuture;
pub use keepalive::DEFAULT_KEEPALIVE;
pub use layer::ResumeLayer;
pub use log::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
    Tail, TailError,
};
pub use parse::{EventParser, EventTooLarge, ParsedEvent};
pub use record::{Record, Recordings};
pub use ring::{RingConfig, RingLog, RingStream, RingTail};
pub use service::Resume;
