//! Resumable event streams.

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
pub use frame::encode_frame;
pub use future::ResponseFuture;
pub use keepalive::DEFAULT_KEEPALIVE;
pub use layer::ResumeLayer;
pub use log::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
    Tail, TailError,
};
pub use parse::{EventParser, EventTooLarge, ParsedEvent};
pub use record::{Record, Recordings};
pub use respond::{refusal_response, stream_response};
pub use ring::{RingConfig, RingLog, RingStream, RingTail};
pub use service::Resume;
