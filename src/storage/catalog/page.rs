//! A page of an owner's sessions.

use std::{fmt, str::FromStr};

use super::SessionRecord;

/// Which of an owner's sessions a list has: the newest ones, or the newest before another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where the page ends; `None` for the newest sessions.
    pub before: Option<PageEnd>,
    /// Maximum number of sessions.
    pub limit: usize,
}

/// A place in the order of sessions: all sessions before it are older. It outlives the session that it was made of.
///
/// Its text is the time and the id of that session, for example `1764075600000.82015afa-a03d-4d03-833e-793f9eaa3b59`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageEnd {
    /// When the session was created, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// The session's id.
    pub id: String,
}

/// The text is not a [`PageEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not the `next` of a page")]
pub struct InvalidPageEnd;

impl PageEnd {
    /// The place just before this session.
    #[must_use]
    pub fn of(record: &SessionRecord) -> Self {
        Self { created_at_ms: record.created_at_ms, id: record.id.clone() }
    }
}

impl fmt::Display for PageEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at_ms, self.id)
    }
}

impl FromStr for PageEnd {
    type Err = InvalidPageEnd;

    fn from_str(text: &str) -> Result<Self, InvalidPageEnd> {
        let (time, id) = text.split_once('.').ok_or(InvalidPageEnd)?;
        let created_at_ms = time.parse().map_err(|_| InvalidPageEnd)?;
        Ok(Self { created_at_ms, id: id.to_owned() })
    }
}
