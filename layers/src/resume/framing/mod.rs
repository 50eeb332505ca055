//! How a recorded stream is divided into events, and how clients get them.

mod ndjson;
mod reframed;
mod sse;

use std::borrow::Cow;

use bytes::Bytes;

use super::{Event, EventTooLarge};

pub(crate) use self::reframed::events;
pub use self::{
    ndjson::{Ndjson, NdjsonReader},
    reframed::Reframed,
    sse::{Sse, SseReader},
};

/// How a [`RecordLayer`](super::RecordLayer) reads the streams of its upstream, and writes them for clients.
///
/// [`Sse`] is the default, [`Ndjson`] has a line of JSON for each event. A framing of your own says how a stream is divided
/// into [`Event`]s, which the event log keeps with their sequence numbers, and how clients get them. Line breaks of every
/// kind in an event's data come back from the log as `\n`; its name has none.
///
/// ```
/// use agent_webkit_layers::resume::{
///     Event, EventTooLarge, Framing, ReadEvents, RecordLayer, RingLog, StreamIds,
/// };
///
/// /// Streams of one-byte events, for which a client counts the bytes that it has.
/// #[derive(Clone)]
/// struct EachByte;
///
/// impl Framing for EachByte {
///     type Reader = Self;
///
///     fn accepts(&self, media_type: &str) -> bool {
///         media_type == self.media_type()
///     }
///
///     fn media_type(&self) -> &'static str {
///         "text/plain"
///     }
///
///     fn reader(&self, _max_event_bytes: usize) -> Self {
///         Self
///     }
///
///     fn write(&self, _seq: Option<u64>, event: &Event, frames: &mut Vec<u8>) {
///         frames.extend_from_slice(&event.data);
///     }
///
///     fn failure(&self, code: &str, _message: &str) -> Event {
///         Event::new("", format!("!{code}"))
///     }
/// }
///
/// impl ReadEvents for EachByte {
///     fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), EventTooLarge> {
///         events.extend(bytes.iter().map(|byte| Event::new("", vec![*byte])));
///         Ok(())
///     }
/// }
///
/// # fn layer(next_uuid: fn() -> String) -> RecordLayer<RingLog, StreamIds, EachByte> {
/// RecordLayer::new(RingLog::default(), StreamIds::new(next_uuid)).framing(EachByte)
/// # }
/// ```
pub trait Framing: Clone + Send + Sync + Unpin + 'static {
    /// Reads the body of one response.
    type Reader: ReadEvents;

    /// Whether a response of this media type, without its parameters and in lower case, is a stream of this framing. Other
    /// responses are not recorded.
    fn accepts(&self, media_type: &str) -> bool;

    /// The media type that clients get.
    fn media_type(&self) -> &'static str;

    /// Starts to read a body. An event of more than `max_event_bytes` is an error.
    fn reader(&self, max_event_bytes: usize) -> Self::Reader;

    /// Appends what clients get of an event to `frames`. `seq` is its sequence number, which an event that is not in the
    /// log does not have.
    fn write(&self, seq: Option<u64>, event: &Event, frames: &mut Vec<u8>);

    /// The event by which clients learn of a failure of the layer, such as an upstream that broke off.
    fn failure(&self, code: &str, message: &str) -> Event;

    /// What is sent in silence, so that proxies keep the connection. Default: nothing.
    fn keepalive(&self) -> Option<Bytes> {
        None
    }

    /// What every response starts with. Default: nothing.
    fn preamble(&self) -> Option<Bytes> {
        None
    }

    /// Whether clients come back with ids of the upstream's, which [`id`](Self::id) finds, in place of sequence numbers.
    /// Default: no.
    fn has_own_ids(&self) -> bool {
        false
    }

    /// The id that clients see with this event. Default: none.
    fn id<'a>(&self, seq: u64, event: &'a Event) -> Option<Cow<'a, str>> {
        let _ = (seq, event);
        None
    }

    /// Whether clients get exactly the frames of the log, which are server-sent events, so that nothing has to be written.
    /// Default: no.
    fn is_that_of_the_log(&self) -> bool {
        false
    }
}

/// Divides the body of one response into events.
pub trait ReadEvents: Send + 'static {
    /// Reads the next bytes of the body, and appends the events that they complete to `events`.
    ///
    /// # Errors
    /// The current event is too large. `events` has those before it.
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), EventTooLarge>;

    /// The body has ended: appends the event that its last bytes are, if they are one. By default they are none.
    fn end(&mut self, events: &mut Vec<Event>) {
        let _ = events;
    }
}
