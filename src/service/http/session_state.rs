//! The `session_state` frame that goes between replay and live.

use bytes::Bytes;

use crate::{
    layers::resume::{Attached, encode_frame},
    proto::Note,
};

/// The state of a session for a reader that has just read everything: what the session does, which prompts are open, and
/// which events the log holds (`docs/protocol.md`, Events).
///
/// A whole SSE frame without an `id`, so that a reader's place in the stream stays where it is. `None` before the
/// session's first event.
pub(super) fn session_state(attached: &Attached) -> Option<Bytes> {
    let note = Note::decode(std::str::from_utf8(attached.note.as_ref()?).ok()?);
    let data = note.session_state(attached.bounds.oldest, attached.bounds.last);
    Some(encode_frame(None, "session_state", &data))
}
