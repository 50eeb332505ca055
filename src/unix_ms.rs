//! Times of day in milliseconds since the Unix epoch, as the wire and the tables hold them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time before the epoch counts as the epoch.
pub(crate) fn of(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn now() -> u64 {
    of(SystemTime::now())
}

/// For a column of a table, which has a sign.
pub(crate) fn signed(time: SystemTime) -> i64 {
    i64::try_from(of(time)).unwrap_or(i64::MAX)
}

/// For a column of a table, which has a sign.
pub(crate) fn now_signed() -> i64 {
    signed(SystemTime::now())
}

pub(crate) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}
