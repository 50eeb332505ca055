//! The `session_state` frame that goes between replay and live.

use bytes::Bytes;

use crate::{layers::resume::Attached, proto::state_of};

/// What a reader that has just read everything is told: how the session stands, which prompts are open, and
/// which events the log holds (`docs/protocol.md`, Events).
///
/// A whole SSE frame without an `id`, so that a reader's place in the stream stays where it is. `None` when
/// the session has told nothing of itself yet.
#[must_use]
pub fn session_state(attached: &Attached) -> Option<Bytes> {
    let note = state_of(std::str::from_utf8(attached.note.as_ref()?).ok()?);
    let (oldest, last) = (attached.bounds.oldest, attached.bounds.last);
    let frame =
        format!("event: session_state\ndata: {{{note},\"oldest_seq\":{oldest},\"as_of_seq\":{last}}}\n\n");
    Some(frame.into())
}
