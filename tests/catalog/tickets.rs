//! Tickets as rows: they hold on every host, until they expire.

use std::time::{Duration, SystemTime};

use agent_webkit::{
    layers::{
        auth::{Principal, Revocation, Scopes},
        ticket::{Digest, Grant, StoreError, TicketStore},
    },
    storage::{DbTickets, database::Database},
};

use super::Place;

impl Place {
    /// The tickets as a host of its own sees them.
    async fn tickets(&self) -> DbTickets {
        let database = match self {
            Self::Sqlite(folder) => Database::sqlite(folder.path().join("sessions.db")).await,
            Self::Postgres(database) => Database::postgres(database.url(), 0, 4).await,
        };
        DbTickets::new(database.unwrap())
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A time that a row can hold: in whole milliseconds.
fn after(time: Duration) -> SystemTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + time;
    SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis().try_into().unwrap())
}

fn grant(name: &str, lasts: Duration) -> Grant {
    Grant::new("session", Principal::new(name), after(lasts))
}

fn digest(number: u8) -> Digest {
    [number; 32]
}

async fn a_grant_is_the_same_on_every_host(place: Place) {
    let (here, there) = (place.tickets().await, place.tickets().await);
    let limited = Principal::new("ada \0 \"Lovelace\" 🦀").with_scopes(Scopes::of(["read", "é,x"]));
    let grants = [
        grant("ada", MINUTE),
        Grant::new("other", limited.clone().expiring_at(after(2 * MINUTE)), after(MINUTE)),
        Grant::new("none", limited.with_scopes(Scopes::none()), after(MINUTE)),
    ];
    for (number, grant) in (1..).zip(&grants) {
        here.put(digest(number), grant.clone(), 64).await.unwrap();
    }
    for (number, grant) in (1..).zip(grants) {
        for host in [&here, &there] {
            assert_eq!(host.get(digest(number)).await, Ok(Some(grant.clone())));
        }
    }
    assert_eq!(there.get(digest(9)).await, Ok(None));
}

async fn a_principal_that_wants_more_loses_its_own_and_nobody_elses(place: Place) {
    let (here, there) = (place.tickets().await, place.tickets().await);
    here.put(digest(1), grant("bob", MINUTE), 2).await.unwrap();
    for (host, number, minutes) in [(&here, 2, 5), (&there, 3, 4), (&here, 4, 3)] {
        host.put(digest(number), grant("ada", minutes * MINUTE), 2).await.unwrap();
    }
    let third = place.tickets().await;
    for (number, holds) in [(1, true), (2, true), (3, false), (4, true)] {
        assert_eq!(third.get(digest(number)).await.unwrap().is_some(), holds, "{number}");
    }
}

async fn expired_tickets_are_swept_by_the_next_one(place: Place) {
    let here = place.tickets().await;
    here.put(digest(1), grant("ada", Duration::ZERO), 64).await.unwrap();
    here.put(digest(2), grant("bob", MINUTE), 64).await.unwrap();
    let there = place.tickets().await;
    assert_eq!(there.get(digest(1)).await, Ok(None));
    assert!(there.get(digest(2)).await.unwrap().is_some());
}

async fn a_ticket_is_revoked_with_its_credential_where_it_was_issued(place: Place) {
    let (here, revocation) = (place.tickets().await, Revocation::new());
    let revocable = Principal::new("ada").revocable_by(revocation.clone());
    here.put(digest(1), Grant::new("session", revocable, after(MINUTE)), 64).await.unwrap();
    assert!(!here.get(digest(1)).await.unwrap().unwrap().principal.is_revoked());
    revocation.revoke();
    assert!(here.get(digest(1)).await.unwrap().unwrap().principal.is_revoked());
}

async fn without_its_table_a_ticket_is_neither_issued_nor_unknown(place: Place) {
    let here = place.tickets().await;
    place.execute("drop table agent_webkit_tickets").await;
    assert_eq!(here.put(digest(1), grant("ada", MINUTE), 64).await, Err(StoreError));
    assert_eq!(here.get(digest(1)).await, Err(StoreError));
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Place::sqlite()).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Place::postgres().await).await;
            })+
        }
    };
}

on_both! {
    a_grant_is_the_same_on_every_host,
    a_principal_that_wants_more_loses_its_own_and_nobody_elses,
    expired_tickets_are_swept_by_the_next_one,
    a_ticket_is_revoked_with_its_credential_where_it_was_issued,
    without_its_table_a_ticket_is_neither_issued_nor_unknown,
}
