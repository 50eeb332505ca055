//! The events of a session, over as many connections as it takes.

mod connection;
mod reader;
mod stream;

pub use self::stream::EventStream;

use std::{ops::RangeInclusive, time::Duration};

use super::Error;
use crate::proto::client::{Numbered, ServerEvent, SessionInfo, SessionState};

/// What an [`EventStream`] yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item {
    /// The next event. Its number is one more than that of the last, except after [`Compacted`](Self::Compacted) and
    /// [`Reset`](Self::Reset).
    Event(Numbered<ServerEvent>),
    /// The state of the session after the last event, with its open prompts: after each connection, between the events
    /// that existed already and those that follow.
    State(SessionState),
    /// Old token deltas that the server no longer keeps: the next event follows the last of these numbers. The
    /// `message_complete` of their message follows.
    Compacted(RangeInclusive<u64>),
    /// The stream could not be continued (412). What was received before is void; the stream goes on from the oldest event
    /// that the server holds. `None` if the credential opens the stream alone, as a ticket does.
    Reset(Option<Box<SessionInfo>>),
    /// There is no connection; the next try is after this time. Nothing needs to be done.
    Reconnecting {
        /// What happened to the last connection.
        reason: Error,
        /// The time to the next try.
        after: Duration,
    },
}

impl Item {
    /// The event, if it is one.
    #[must_use]
    pub fn event(&self) -> Option<&ServerEvent> {
        match self {
            Self::Event(numbered) => Some(&numbered.event),
            _ => None,
        }
    }
}
