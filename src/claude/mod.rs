//! The `claude` CLI as an agent backend.
//!
//! [`Claude`] starts one CLI process per session and speaks its control protocol over stdin and stdout:
//! NDJSON, undocumented and growing. So it is read tolerantly (unknown frames and members are passed on or
//! passed over) and answered completely (a request we do not know gets an error, never silence).
//!
//! # One turn
//!
//! ```text
//! AgentCommand              stdin →                      ← stdout                     AgentEvent
//!                           control_request initialize
//!                                                        control_response             Ready
//! User                      user {uuid}
//!                                                        system/init                  TurnStarted, McpStatus…
//!                                                        stream_event …_delta         Delta…
//!                                                        assistant (one block)        Message
//!                                                        control_request can_use_tool Ask
//! Decide                    control_response
//!                                                        stream_event message_delta   MessageStopped
//!                                                        user (tool_result)           ToolResult
//!                                                        result {user_message_uuids}  TurnEnded
//! (commands are dropped)    end of input
//!                                                        exit                         Exited
//! ```
//!
//! # Where things are
//!
//! Without I/O: [`Framer`] and [`encode`] are the lines, `wire` borrows what is in them, `stream` (the hot
//! path), `decode` and `asks` turn frames into events, `encode` and `outbox` turn commands into frames,
//! `bridge` is the conversation of one process. With I/O: `supervise` owns a process and carries bytes,
//! `process`, `environment` and `start` know how one is started, `ladder`, `mark` and `watcher` how it and all
//! it started are ended. Its past is read by `transcript` from the CLI's own files or by `materialise` from a
//! store, which `mirror` writes to; `homes` are the folders in which it lives then.
//!
//! # Measured on 2.1.330
//!
//! - **Whose turn it was.** The CLI begins turns by itself when a background task ends, and a message that
//!   arrives during one may become part of it; then its only `result` has the task's `origin`. Messages
//!   carry a uuid that `user_message_uuids` names, so a turn is unprompted only if it names none of ours.
//! - **Interrupts can miss.** One that arrives a millisecond after a message passes the message by, which
//!   then runs to its end. The answer tells (`still_queued`), and the interrupt is repeated when
//!   `command_lifecycle` tells that the message started.
//! - **Blocks before reasons.** An `assistant` frame holds one block and comes before the stop reason of
//!   its message is known; several frames share one message id.
//! - **Resuming.** `--resume` fails without a transcript that holds a message, `--session-id` fails if the
//!   file exists at all; the file decides, see `transcript`. A message killed within about 100 ms of its
//!   being sent is not in it yet. After shells were killed with the CLI, the next one begins with an
//!   unprompted, empty turn.
//! - **The mirror comes first.** With `--session-mirror` all entries of a turn are told before its `result`,
//!   those of a background sub-agent while it runs; after the `result` come only `last-prompt` (within two
//!   seconds or at the end of input) and `cost-state`. The file also holds `api-request…` entries, which are
//!   not mirrored and not missed. A resumed CLI tells only what is new. A sub-agent's `.meta.json` is told as
//!   an entry `agent_metadata` without uuid, at its start and at its end.
//! - **Any order, any place.** Resuming works whatever the order and spacing of members, and with entries of
//!   another working directory. A name of more than 200 characters is cut and a hash appended; the CLI finds
//!   such a folder whatever the hash, and goes on writing there.
//! - **`/clear` changes the session's id.** The new conversation is written to a file of its own. Its entries
//!   can follow the old ones in one file; see `cleared`.
//! - **A home of symbolic links.** See `homes`. Credentials are read through a link; how they are written back
//!   when a token is renewed could not be measured.
//! - **Shells escape.** The CLI's shells run in sessions of their own, survive it, and keep it from ending
//!   at the end of its input; see `mark` and `watcher`.
//!
//! # The end of an agent
//!
//! When its commands are dropped, or nobody takes its events: interrupt if a turn runs, end of input,
//! 5 s, SIGTERM to its group, 5 s, SIGKILL (see [`Grace`]). However it ended, everything that carries its
//! mark is ended before [`AgentEvent::Exited`](crate::proto::AgentEvent::Exited) says so.

mod backend;
mod error;
mod process;
mod protocol;
mod settings;
mod start;
mod transcripts;

pub use self::{
    backend::{Claude, StartFuture},
    error::StartError,
    protocol::codec::{DEFAULT_LINE_LIMIT, Framed, Framer, encode},
    settings::Grace,
};

/// What every CLI is started with. For benches, which start one by itself.
#[doc(hidden)]
pub use self::process::cli_process::FLAGS;

/// The events in what a CLI has written. For benches: it is the way from a line to an event and nothing else.
#[doc(hidden)]
#[must_use]
pub fn events_of(written: &[u8]) -> Vec<crate::proto::AgentEvent> {
    let (mut framer, mut bridge) = (Framer::new(DEFAULT_LINE_LIMIT), protocol::bridge::Bridge::new(None));
    let mut events = Vec::new();
    for chunk in written.chunks(64 << 10) {
        framer.feed(chunk);
        while let Some(Framed::Line(line)) = framer.next() {
            bridge.handle_line(line);
        }
        events.extend(bridge.events().drain(..));
    }
    events
}
