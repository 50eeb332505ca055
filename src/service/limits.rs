//! What a server lets its clients use.

use std::time::Duration;

use crate::layers::resume::DEFAULT_KEEPALIVE;

/// The bounds of a service, with the protocol's defaults.
///
/// ```
/// use std::time::Duration;
/// use agent_webkit::service::Limits;
///
/// let limits = Limits::default().max_sessions(4).idle_timeout(Duration::from_secs(60));
/// assert_eq!(limits.max_body, 32 * 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of queued user messages of a session. Default 128.
    pub queue: usize,
    /// A session without reader, running turn or input for so long ends, or leaves the memory if it can be
    /// restored. Default 300 s.
    pub idle_timeout: Duration,
    /// A session that has been at rest for so long lets its agent go; the next message starts another one,
    /// which must find the conversation again. Default never.
    pub hibernate_after: Option<Duration>,
    /// A stored session that was not active for so long is deleted. Default never.
    pub retention: Option<Duration>,
    /// Maximum number of sessions in memory; an ended session counts until its agent is gone.
    /// Default 64.
    pub max_sessions: usize,
    /// Number of agents started ahead, for sessions that are created without a choice of directory,
    /// model or mode; at most as many as there may be sessions. Default none.
    pub warm: usize,
    /// The longest request body, in bytes. Default 32 MiB.
    pub max_body: usize,
    /// Maximum time to receive a request body. Default 60 s.
    pub body_timeout: Duration,
    /// Maximum time from the head of a request to the head of its answer; streams have no limit. Default 120 s.
    pub request_timeout: Duration,
    /// Maximum time that an input waits for the agent's answer. Default 30 s.
    pub answer_timeout: Duration,
    /// Silence on a stream before a keepalive comment is sent. Default 15 s; zero: never.
    pub keepalive: Duration,
    /// Lifetime of a ticket. Default 60 s.
    pub ticket_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 128,
            idle_timeout: Duration::from_secs(300),
            hibernate_after: None,
            retention: None,
            max_sessions: 64,
            warm: 0,
            max_body: 32 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(120),
            answer_timeout: Duration::from_secs(30),
            keepalive: DEFAULT_KEEPALIVE,
            ticket_lifetime: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// Sets how many user messages of one session may wait.
    #[must_use]
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages;
        self
    }

    /// Sets how long a session lives that nobody uses.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how long a session rests before its agent is let go.
    #[must_use]
    pub fn hibernate_after(mut self, rest: impl Into<Option<Duration>>) -> Self {
        self.hibernate_after = rest.into();
        self
    }

    /// Sets how long a stored session is kept that is not used.
    #[must_use]
    pub fn retention(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.retention = time.into();
        self
    }

    /// Sets how many sessions may be alive at once.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Sets how many agents are kept started ahead.
    #[must_use]
    pub fn warm(mut self, agents: usize) -> Self {
        self.warm = agents;
        self
    }

    /// Sets the longest request body, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long a request's body may take.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets how long a request may take to be answered.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long an input waits for the agent's answer.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Sets the silence on a stream before a keepalive comment is sent; zero sends none.
    #[must_use]
    pub fn keepalive(mut self, silence: Duration) -> Self {
        self.keepalive = silence;
        self
    }

    /// Sets the lifetime of a ticket.
    #[must_use]
    pub fn ticket_lifetime(mut self, lifetime: Duration) -> Self {
        self.ticket_lifetime = lifetime;
        self
    }
}
