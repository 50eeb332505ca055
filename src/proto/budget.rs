//! Budgets, in US dollars.

use serde::{Deserialize, Serialize};

use super::{OutEvent, json::Object};

/// What a budget limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Budget {
    /// One session.
    Session,
    /// All sessions of an owner on one day, in UTC.
    OwnerDay,
    /// All sessions of the server, on all hosts that share its database, on one day, in UTC.
    HostDay,
}

impl Budget {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::OwnerDay => "owner_day",
            Self::HostDay => "host_day",
        }
    }
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exceeded {
    /// Which one.
    pub budget: Budget,
    /// The limit, in US dollars.
    pub limit_usd: f64,
    /// When there is a new one, in milliseconds since the Unix epoch; `None` for never.
    pub free_at_ms: Option<u64>,
}

impl Exceeded {
    /// The code of the `error` and of the refusal that report it.
    pub const CODE: &'static str = "budget_exceeded";

    /// This budget is used up until then.
    #[must_use]
    pub const fn new(budget: Budget, limit_usd: f64, free_at_ms: Option<u64>) -> Self {
        Self { budget, limit_usd, free_at_ms }
    }

    pub(super) fn event(&self) -> OutEvent {
        let free_at = self.free_at_ms.map_or_else(|| "null".to_owned(), |at| at.to_string());
        let data = Object::new()
            .string("code", Self::CODE)
            .string("message", &self.to_string())
            .string("budget", self.budget.as_str())
            .number("limit_usd", self.limit_usd)
            .json("free_at", free_at.as_bytes());
        OutEvent::of("error", data)
    }
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let limit = self.limit_usd;
        match self.budget {
            Budget::Session => write!(f, "The session has used up its budget of {limit} USD."),
            Budget::OwnerDay => {
                write!(
                    f,
                    "The owner has used up the day's budget of {limit} USD; the next one begins at midnight UTC."
                )
            }
            Budget::HostDay => {
                write!(
                    f,
                    "The server has used up the day's budget of {limit} USD; the next one begins at midnight UTC."
                )
            }
        }
    }
}

/// What a session has cost on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DayCost {
    /// The day, in days since the Unix epoch.
    pub day: u64,
    /// The cost, in US dollars.
    pub usd: f64,
}

impl DayCost {
    /// The cost on this day.
    #[must_use]
    pub const fn new(day: u64, usd: f64) -> Self {
        Self { day, usd }
    }
}
