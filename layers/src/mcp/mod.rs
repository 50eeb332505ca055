//! Lets the MCP servers of `rmcp` resume their streams and restore their sessions after a restart, and on another host.
//!
//! [`McpLog`] implements the traits by which its streamable HTTP server keeps events and sessions, over any [`EventLog`]. A
//! log in memory survives dropped connections. One in a database, such as agent-webkit's `DurableLog`, survives restarts, and
//! several servers may share it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use agent_webkit_layers::{mcp::McpLog, resume::RingLog};
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
//! let log = Arc::new(McpLog::new(RingLog::default()));
//! let sessions = LocalSessionManager::default().with_event_store(log.clone());
//! let mut config = StreamableHttpServerConfig::default();
//! config.session_store = Some(log);
//! let service = StreamableHttpService::new(|| Ok(Greeter), Arc::new(sessions), config);
//! # drop(service);
//! ```
//!
//! # What is stored
//!
//! A message is stored **before** its event id is returned to `rmcp`, so that a client can resume from every id that it has
//! seen. `rmcp` opens a stream for each call, and one for each session. To clients an id is opaque; it names the stream,
//! its incarnation and the event in it. In the log the key of a stream is `mcp-stream:…` and that of a session
//! `mcp-session:…`, so an id leads to no other stream of the log.
//!
//! Whoever knows an event id can read the stream after it: `rmcp` does not compare it with the session. Ids contain random
//! UUIDs, as those of sessions do.
//!
//! # What a client gets
//!
//! A client that comes back with `Last-Event-ID` gets the messages after that event, each once, and then those that are
//! stored later, whichever server stores them. The stream ends after the response to its call. If the event is not known or
//! no longer held, `rmcp` logs why and answers 200 with an empty stream.
//!
//! A call runs in one process. If that process dies, everything that the call had sent can be read, but its response never
//! comes, and the client's own time limit ends the call.
//!
//! # For how long
//!
//! A stream is forgotten an hour after its last message ([`McpLog::retain`]), and a session a day after it was stored
//! ([`McpLog::retain_sessions`]), whichever server wrote them. The stream of a call is closed with its response; then a log in
//! a database holds no memory for it. The number of streams has no other limit.

mod event_id;
mod event_store;
mod message;
mod replay;
mod session_store;
mod streams;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::{resume::EventLog, sync::lock};

use streams::Slot;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The keys of streams in the log.
const STREAMS: &str = "mcp-stream:";
/// The keys of sessions in the log.
const SESSIONS: &str = "mcp-session:";
/// How often within the time for which they are retained idle streams are looked for.
const SWEEPS: u32 = 8;

/// The event store and the session store of an `rmcp` server over any [`EventLog`]: see the [module](self).
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

impl<L: EventLog> fmt::Debug for McpLog<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpLog")
            .field("retain", &self.retain)
            .field("retain_sessions", &self.retain_sessions)
            .field("streams", &lock(&self.streams).len())
            .finish_non_exhaustive()
    }
}
