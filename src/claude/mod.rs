//! The `claude` CLI as an agent backend.
//!
//! [`Claude`] starts one CLI process per session and speaks its control protocol over stdin and stdout. The
//! protocol is NDJSON, is not documented and changes between versions. Unknown frames are ignored, unknown
//! members are relayed or ignored, and an unknown request is answered with an error, so the CLI never waits.
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
//! # Modules
//!
//! - `protocol`, without I/O: [`Framer`] and [`encode`] read and write lines, `wire` deserializes frames
//!   without copying, `stream` (the hot path), `decode` and `asks` turn frames into events, `encode` and
//!   `outbox` turn commands into frames, `bridge` is the state of one conversation.
//! - `process`: `supervisor` owns a process and its pipes, `cli_process` and `environment` start it,
//!   `termination`, `tag` and `watcher` end it and everything that it started.
//! - `transcripts`: `cli_files` looks for the CLI's own transcript, `materialise` writes one from a
//!   transcript store, `mirror` copies new entries into that store, `config_dirs` are the agents' private
//!   config directories.
//! - `options` are what the host sets for its agents, as flags and members of the handshake.
//! - `start` chooses between the two sources of a transcript.
//! - `agent_user` is the user that agents run as, and file access with its rights; `probe` finds out whether
//!   agents can run.
//!
//! # Behaviour of the CLI, measured on 2.1.332
//!
//! - **Unprompted turns.** The CLI begins a turn by itself when a background task ends. A message that
//!   arrives during such a turn may become part of it; then its only `result` has the task's `origin`. Each
//!   message has a uuid and `user_message_uuids` lists those of a turn, so a turn is unprompted only if it
//!   lists none of ours.
//! - **Interrupts can miss.** An interrupt that arrives a millisecond after a message does not stop it. The
//!   response lists such messages as `still_queued`; the interrupt is sent again when `command_lifecycle`
//!   reports that the message started.
//! - **Blocks before stop reasons.** An `assistant` frame holds one block and comes before the stop reason of
//!   its message is known; several frames share one message id.
//! - **Resume.** `--resume` fails without a transcript that holds a message; `--session-id` fails if the file
//!   exists. The file decides which is used, see `cli_files`. A CLI that is killed within about 100 ms of a
//!   message has not written the message yet. If shells were killed with the CLI, the next process begins
//!   with an unprompted, empty turn.
//! - **Mirrored entries come before the result.** With `--session-mirror` the CLI reports all entries of a
//!   turn before its `result`, and those of a background sub-agent while it runs. After the `result` come
//!   only `last-prompt` (within two seconds or at the end of input) and `cost-state`. `api-request…` entries
//!   are only in the file; a resume does not need them. A resumed CLI reports new entries only. A sub-agent's
//!   `.meta.json` is reported as an entry `agent_metadata` without a uuid, when it starts and when it ends.
//! - **Resume depends on neither format nor place.** Members may have any order and spacing, and entries may
//!   come from another working directory. The CLI cuts a directory name after 200 characters and appends a
//!   hash; it finds such a directory whatever the hash is, and continues to write there.
//! - **`/clear` changes the session id.** The CLI writes the new conversation to another file. Its entries
//!   can follow the old ones in one file; see `cleared`.
//! - **Symbolic links in the config directory work.** See `config_dirs`. Credentials are read through a link;
//!   how they are written back when a token is renewed could not be measured.
//! - **Shells outlive the CLI.** The CLI's shells run in sessions of their own, survive it, and keep it from
//!   exiting at the end of its input; see `tag` and `watcher`.
//!
//! # Termination
//!
//! When its commands or its events are dropped, an agent is ended: interrupt if a turn runs, end of input,
//! after 5 s SIGTERM to its process group, after 5 s SIGKILL (see [`Grace`]). In every case all processes
//! with its process tag are ended before [`AgentEvent::Exited`](crate::proto::AgentEvent::Exited) is sent.

mod account;
mod agent_user;
mod backend;
mod error;
mod hooks;
mod in_process;
mod options;
mod probe;
mod process;
mod protocol;
mod settings;
mod start;
mod transcripts;

pub use self::{
    agent_user::AgentUser,
    backend::{Claude, StartFuture},
    error::{SetupError, StartError},
    hooks::{HookCall, HookEvent, HookOutput},
    options::{AgentDefinition, McpServer, Options, Profiles, SettingSource},
    protocol::codec::{DEFAULT_LINE_LIMIT, Framed, Framer, encode},
    settings::Grace,
};

/// The arguments of every CLI process. For benches, which start the CLI themselves.
#[doc(hidden)]
pub use self::process::cli_process::FLAGS;

/// Decodes a CLI's output into events. For benches: it measures the decoding of lines and nothing else.
#[doc(hidden)]
#[must_use]
pub fn events_of(written: &[u8]) -> Vec<crate::proto::AgentEvent> {
    let mut framer = Framer::new(DEFAULT_LINE_LIMIT);
    let mut bridge =
        protocol::bridge::Bridge::new(None, &Default::default(), &Default::default(), Default::default());
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
