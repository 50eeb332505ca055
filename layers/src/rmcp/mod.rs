//! Lets the MCP servers of `rmcp` resume their streams and restore their sessions after a restart, and on another host.
//!
//! ```
//! use std::sync::Arc;
//!
//! use agent_webkit_layers::{resume::RingLog, rmcp::McpLog};
//! use rmcp::{
//!     tool, tool_router,
//!     transport::streamable_http_server::{
//!         StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
//!     },
//! };
//!
//! struct Greeter;
//!
//! #[tool_router(server_handler)]
//! impl Greeter {
//!     /// Greets.
//!     #[tool]
//!     async fn greet(&self) -> String {
//!         "Hello.".to_owned()
//!     }
//! }
//!
//! // A log in memory survives dropped connections; one in a database, such as agent-webkit's `DurableLog`, restarts too.
//! let log = Arc::new(McpLog::new(RingLog::default()));
//! let sessions = Arc::new(LocalSessionManager::default().with_event_store(log.clone()));
//! let mut config = StreamableHttpServerConfig::default();
//! config.session_store = Some(log);
//! let service = StreamableHttpService::new(|| Ok(Greeter), sessions, config);
//! # drop(service);
//! ```
//!
//! # What is stored
//!
//! `rmcp` opens a stream for each call, and one for each session. A message is stored **before** its event id is returned,
//! so an id that a client has seen can be resumed from. An id names the stream, its incarnation and the event in it; to
//! clients it is opaque. In the log a stream has the key `mcp-stream:…`, a session `mcp-session:…`, so ids lead to no other
//! stream of the log.
//!
//! Whoever knows an event id can read the stream after it: `rmcp` does not compare it with the session. The ids contain
//! random UUIDs, as those of the sessions do.
//!
//! # What a client gets
//!
//! A client that comes back with `Last-Event-ID` gets the messages after that event, each once, and then those that are
//! still stored, whichever server stores them. The stream ends after the response to its call. `rmcp` answers a resume
//! from an event that is not known, or no longer held, with an empty 200 stream, and logs why.
//!
//! A call runs in one process. If that process dies, everything that the call had sent is there, but its response never
//! comes: the client's own time limit for the call ends it.
//!
//! # For how long
//!
//! Streams are forgotten one hour after their last message ([`McpLog::retain`]), and what restores a session a day after its
//! start ([`McpLog::retain_sessions`]), whichever server wrote them. A call's stream is closed with its response, so it holds
//! no memory in a log in a database. The number of streams is not limited otherwise.

mod event_id;
mod event_store;
mod message;
mod replay;
mod session_store;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::{
    resume::{EventLog, EventStream},
    sync::lock,
};

use event_store::Slot;

/// The keys of streams in the log.
const STREAMS: &str = "mcp-stream:";
/// The keys of sessions in the log.
const SESSIONS: &str = "mcp-session:";
/// How often within the time for which they are retained idle streams are looked for.
const SWEEPS: u32 = 8;

/// An `EventStore` and a `SessionStore` of `rmcp` over any [`EventLog`]: see the [module](self).
pub struct McpLog<L: EventLog> {
    log: L,
    retain: Duration,
    retain_sessions: Duration,
    /// The streams to which this process has stored something, by the id that `rmcp` gave them.
    streams: Mutex<HashMap<String, Arc<Slot<L::Stream>>>>,
    swept_at: Mutex<Option<Instant>>,
}

impl<L: EventLog> McpLog<L> {
    /// Keeps streams and sessions in this log. Its methods must be called inside a tokio runtime.
    pub fn new(log: L) -> Self {
        Self {
            log,
            retain: Duration::from_secs(3600),
            retain_sessions: Duration::from_secs(24 * 3600),
            streams: Mutex::default(),
            swept_at: Mutex::default(),
        }
    }

    /// Sets the time after its last message for which a stream can be resumed. It should be longer than a call may be
    /// silent. Default: one hour.
    #[must_use]
    pub fn retain(self, retain: Duration) -> Self {
        Self { retain, ..self }
    }

    /// Sets the time after its start for which a session can be restored. After that its client gets a 404, and starts
    /// another one. Default: one day.
    #[must_use]
    pub fn retain_sessions(self, retain: Duration) -> Self {
        Self { retain_sessions: retain, ..self }
    }

    /// Starts to forget what is older than it may be, unless this was done a short while ago. Without new messages there is
    /// nothing to do.
    fn sweep(&self) {
        let now = Instant::now();
        {
            let mut swept_at = lock(&self.swept_at);
            let every = self.retain.min(self.retain_sessions) / SWEEPS;
            if swept_at.is_some_and(|at| now.duration_since(at) < every) {
                return;
            }
            *swept_at = Some(now);
        }
        lock(&self.streams).retain(|_, slot| !slot.is_idle(self.retain));
        let (log, retain, retain_sessions) = (self.log.clone(), self.retain, self.retain_sessions);
        tokio::spawn(async move {
            for (prefix, idle) in [(STREAMS, retain), (SESSIONS, retain_sessions)] {
                if let Err(error) = log.forget_idle(prefix, idle).await {
                    tracing::warn!(%error, prefix, "idle streams could not be forgotten");
                }
            }
        });
    }
}

impl<L: EventLog<Stream: EventStream>> fmt::Debug for McpLog<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpLog")
            .field("retain", &self.retain)
            .field("retain_sessions", &self.retain_sessions)
            .field("streams", &lock(&self.streams).len())
            .finish_non_exhaustive()
    }
}
