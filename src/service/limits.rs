//! Limits on sessions, requests and streams.

use std::time::Duration;

use crate::layers::resume::DEFAULT_KEEPALIVE;

/// The limits of a service, with the protocol's defaults.
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
    /// Time without a reader, a turn, a prompt, a background task or an input after which a session ends, or
    /// leaves memory if it is stored. Default 300 s.
    pub idle_timeout: Duration,
    /// Time without a turn, a prompt, a background task or an input after which a session's agent is stopped.
    /// The next message starts another agent, which must be able to resume the conversation. Default never.
    pub hibernate_after: Option<Duration>,
    /// Time since its last activity after which a stored session is deleted. Default never.
    pub retention: Option<Duration>,
    /// Maximum number of sessions in memory. An ended session counts until its agent is gone. Default 64.
    pub max_sessions: usize,
    /// Number of agents started ahead, for sessions created without a choice of directory, model or mode; at
    /// most `max_sessions`. Default 0.
    pub warm: usize,
    /// Maximum length of a request body, in bytes. Default 32 MiB.
    pub max_body: usize,
    /// Maximum time to receive a request body. Default 60 s.
    pub body_timeout: Duration,
    /// Maximum time from the head of a request to the head of its response. A stream may last longer.
    /// Default 120 s.
    pub request_timeout: Duration,
    /// Maximum time that an input waits for the agent's answer. Default 30 s.
    pub answer_timeout: Duration,
    /// Silence on a stream before a keepalive comment is sent; zero disables keepalives. Default 15 s.
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
    /// Sets the maximum number of queued user messages of a session.
    #[must_use]
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages;
        self
    }

    /// Sets the time after which an unused session ends or leaves memory.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets the time after which the agent of an idle session is stopped.
    #[must_use]
    pub fn hibernate_after(mut self, rest: impl Into<Option<Duration>>) -> Self {
        self.hibernate_after = rest.into();
        self
    }

    /// Sets the time after which an unused stored session is deleted.
    #[must_use]
    pub fn retention(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.retention = time.into();
        self
    }

    /// Sets the maximum number of sessions in memory.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Sets the number of agents started ahead.
    #[must_use]
    pub fn warm(mut self, agents: usize) -> Self {
        self.warm = agents;
        self
    }

    /// Sets the maximum length of a request body, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the maximum time to receive a request body.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets the maximum time from the head of a request to the head of its response.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the maximum time that an input waits for the agent's answer.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Sets the silence on a stream before a keepalive comment is sent; zero disables keepalives.
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
