//! The `session_state` frame between replayed and live events.

use bytes::Bytes;

use crate::{
    layers::resume::{Attached, encode_frame},
    proto::Note,
};

/// Encodes the state of a session for a reader that has replayed everything: its status, its open prompts,
/// and which events the event log holds (`docs/protocol.md`, Events).
///
/// The result is a whole SSE frame without an `id`, so that the reader's `Last-Event-ID` does not change.
/// `None` before the session's first event.
pub(crate) fn session_state(attached: &Attached) -> Option<Bytes> {
    let note = Note::decode(std::str::from_utf8(attached.note.as_ref()?).ok()?);
    let data = note.session_state(attached.bounds.oldest, attached.bounds.last);
    Some(encode_frame(None, "session_state", &data))
}
