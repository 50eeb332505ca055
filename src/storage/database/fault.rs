//! Tells what the database says about one row from everything else that may be wrong with it.

use sqlx::{Error, error::DatabaseError};

/// Returns whether the database refuses what this row holds, so that the same call never succeeds: a value out
/// of range or not encodable, a violated constraint, a row or key that is too large.
///
/// Every other error is the database's: it is away or full, a lock is not free, a table is missing, a right was
/// revoked. The row must be kept and the call repeated. The failed call may have taken effect.
#[must_use]
pub fn is_fault_of_row(error: &Error) -> bool {
    match error {
        Error::Encode(_) => true,
        Error::Database(error) => refuses_row(&**error),
        _ => false,
    }
}

#[allow(unused_variables, unreachable_code, reason = "without a driver there are no errors")]
fn refuses_row(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    #[cfg(feature = "sqlite")]
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse().is_ok_and(sqlite_refuses_row);
    }
    postgres_refuses_row(&code)
}

/// The classes data exception, integrity constraint violation, and program limit exceeded, which a row that is
/// too large for its index exceeds.
fn postgres_refuses_row(state: &str) -> bool {
    matches!(&state[..2.min(state.len())], "22" | "23" | "54")
}

/// Too big, constraint, mismatch.
#[cfg(feature = "sqlite")]
fn sqlite_refuses_row(code: i32) -> bool {
    matches!(code & 0xff, 18..=20)
}

/// Whether a SQLite connection must not be used again. After these errors SQLite may have rolled back by itself,
/// which `sqlx` does not notice, or the connection may hold the file open in a way that does not recover, such as
/// read-only: out of memory, read-only, I/O error, damaged, full, cannot open, protocol, not a database.
#[cfg(feature = "sqlite")]
pub(super) fn spoils_connection(error: &Error) -> bool {
    let code =
        error.as_database_error().and_then(DatabaseError::code).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_from_the_database_is_no_rows_fault() {
        assert!(!is_fault_of_row(&Error::Io(std::io::ErrorKind::BrokenPipe.into())));
        assert!(!is_fault_of_row(&Error::PoolTimedOut));
        assert!(!is_fault_of_row(&Error::RowNotFound));
        assert!(!is_fault_of_row(&Error::Decode("a summary is unreadable".into())));
        assert!(!is_fault_of_row(&Error::InvalidSavePointStatement));
    }

    #[test]
    fn states_of_postgres() {
        for of_row in ["22P05", "22021", "22003", "23505", "23502", "54000"] {
            assert!(postgres_refuses_row(of_row), "{of_row}");
        }
        // Undefined table, insufficient privilege, wrong password, no such database, and what passes.
        for of_store in ["42P01", "42501", "28P01", "3D000", "57P01", "53100", "40001", "25006", "XX001", ""]
        {
            assert!(!postgres_refuses_row(of_store), "{of_store}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn codes_of_sqlite() {
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT_UNIQUE, SQLITE_MISMATCH
        for of_row in [18, 2067, 20] {
            assert!(sqlite_refuses_row(of_row), "{of_row}");
        }
        // SQLITE_ERROR (a missing table), SQLITE_BUSY, SQLITE_READONLY, SQLITE_CORRUPT, SQLITE_FULL,
        // SQLITE_IOERR_WRITE, SQLITE_AUTH, SQLITE_NOTADB
        for of_store in [1, 5, 8, 11, 13, 778, 23, 26] {
            assert!(!sqlite_refuses_row(of_store), "{of_store}");
        }
    }
}
