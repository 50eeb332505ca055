//! Classifies database errors as transient or lasting.

use sqlx::{Error, error::DatabaseError};

/// Returns whether the same call may succeed later: the connection was lost, the server is starting or
/// stopping, or a lock or another resource is not free now. The failed call may have taken effect.
#[must_use]
pub fn is_transient(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => true,
        Error::Database(error) => passes(&**error),
        _ => false,
    }
}

#[allow(unused_variables, unreachable_code, reason = "without a driver there are no errors")]
fn passes(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    #[cfg(feature = "sqlite")]
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse().is_ok_and(sqlite_passes);
    }
    postgres_passes(&code)
}

/// Transient are the classes connection, resources and operator, and these states: serialisation failure,
/// completion unknown, deadlock, lock not available, read-only transaction (on a standby), I/O error.
fn postgres_passes(state: &str) -> bool {
    matches!(&state[..2.min(state.len())], "08" | "53" | "57")
        || matches!(state, "40001" | "40003" | "40P01" | "55P03" | "25006" | "58030")
}

/// Transient are: busy, locked, out of memory, interrupted, I/O error, full, cannot open, protocol.
#[cfg(feature = "sqlite")]
fn sqlite_passes(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6 | 7 | 9 | 10 | 13 | 14 | 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_passes_and_a_wrong_statement_does_not() {
        assert!(is_transient(&Error::Io(std::io::ErrorKind::BrokenPipe.into())));
        assert!(is_transient(&Error::PoolTimedOut));
        assert!(!is_transient(&Error::RowNotFound));
    }

    #[test]
    fn states_of_postgres() {
        for passing in ["57P01", "57P02", "57P03", "53300", "53100", "08006", "40001", "40P01"] {
            assert!(postgres_passes(passing), "{passing}");
        }
        for lasting in ["22P05", "42P01", "23505", "28P01", "3D000", "54000", ""] {
            assert!(!postgres_passes(lasting), "{lasting}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn codes_of_sqlite() {
        // SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_FULL, SQLITE_IOERR_WRITE
        for passing in [5, 517, 13, 778] {
            assert!(sqlite_passes(passing), "{passing}");
        }
        // SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_CONSTRAINT_UNIQUE, SQLITE_NOTADB
        for lasting in [1, 11, 2067, 26] {
            assert!(!sqlite_passes(lasting), "{lasting}");
        }
    }
}
