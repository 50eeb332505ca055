//! What a session's row stores.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agent_webkit::storage::catalog::{
    Acquired, Catalog, CatalogError, Page, PageEnd, SessionMetadata, SessionRecord,
};

use super::{LONG, Place, metadata, record};

/// Runs tests on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::postgres().await).await; })*
        }
    };
}

on_both! {
    a_record_reads_back
    a_list_is_its_owners_and_oldest_first
    pages_are_newest_first_and_each_session_is_on_one
    what_is_saved_is_found
    any_text_is_stored_and_stays_its_owners
    an_id_is_given_once
    a_tombstoned_session_is_not_there_and_its_row_is_swept
    a_tombstone_of_an_earlier_version_is_still_one
    only_the_holder_saves
    what_nobody_uses_is_named
    a_session_that_wakes_up_is_named
}

async fn a_record_reads_back(place: Place) {
    let host = place.host(LONG).await;
    let written = record(Some("ada"));
    host.create(&written).await.unwrap();
    let found = host.find(&written.id).await.unwrap().unwrap();
    assert!(found.active_at_ms > 1_600_000_000_000, "milliseconds of the database's clock");
    assert_eq!(SessionRecord { active_at_ms: 0, ..found }, written);
    assert_eq!(host.find("nobody").await.unwrap(), None);
}

async fn a_list_is_its_owners_and_oldest_first(place: Place) {
    let host = place.host(LONG).await;
    let mut of_ada = Vec::new();
    for age in [3, 1, 2] {
        let created_at_ms = 1_700_000_000_000 - age;
        let session = SessionRecord { created_at_ms, ..record(Some("ada")) };
        host.create(&session).await.unwrap();
        of_ada.push((created_at_ms, session.id));
    }
    let nobodys = record(None);
    host.create(&nobodys).await.unwrap();
    of_ada.sort();
    let listed: Vec<_> =
        host.list(Some("ada")).await.unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(listed, of_ada.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let listed = host.list(None).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, nobodys.id);
    assert!(host.list(Some("bob")).await.unwrap().is_empty());
}

async fn pages_are_newest_first_and_each_session_is_on_one(place: Place) {
    let host = place.host(LONG).await;
    let mut of_ada = Vec::new();
    for age in [3, 1, 2, 2, 2, 9, 7] {
        let created_at_ms = 1_700_000_000_000 - age;
        let session = SessionRecord { created_at_ms, ..record(Some("ada")) };
        host.create(&session).await.unwrap();
        of_ada.push((created_at_ms, session.id));
    }
    host.create(&record(None)).await.unwrap();
    of_ada.sort();
    of_ada.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let listed = host.list_page(Some("ada"), &Page { before, limit: 2 }).await.unwrap();
        assert!(listed.len() <= 2);
        let Some(last) = listed.last() else { break };
        before = Some(PageEnd::of(last));
        seen.extend(listed.into_iter().map(|session| (session.created_at_ms, session.id)));
    }
    assert_eq!(seen, of_ada);
    // The end of a page holds without its session.
    let gone = PageEnd { created_at_ms: 1_700_000_000_000 - 4, id: String::new() };
    let listed = host.list_page(Some("ada"), &Page { before: Some(gone), limit: 9 }).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(host.list_page(None, &Page { before: None, limit: 9 }).await.unwrap().len(), 1);
}

async fn what_is_saved_is_found(place: Place) {
    let host = place.host(LONG).await;
    let session = record(None);
    let lease = host.create(&session).await.unwrap();
    let mut changed = metadata("running");
    changed.title = Some("é \"'; drop table".into());
    changed.model = None;
    host.save(&lease, &changed).await.unwrap();
    assert_eq!(host.find(&session.id).await.unwrap().unwrap().metadata, changed);
}

async fn any_text_is_stored_and_stays_its_owners(place: Place) {
    let host = place.host(LONG).await;
    let hostile = "a\0b \u{fdd0}0 \\0 é";
    let written = SessionRecord {
        id: format!("{hostile}id"),
        cwd: hostile.into(),
        metadata: SessionMetadata {
            model: Some(hostile.into()),
            permission_mode: Some(hostile.into()),
            title: Some(hostile.into()),
            status: hostile.into(),
            wakes_at_ms: None,
        },
        ..record(Some(hostile))
    };
    let lease = host.create(&written).await.unwrap();
    host.save(&lease, &written.metadata).await.unwrap();
    assert_eq!(host.renew(std::slice::from_ref(&lease)).await.unwrap(), [""; 0]);
    let found = host.find(&written.id).await.unwrap().unwrap();
    assert_eq!(SessionRecord { active_at_ms: 0, ..found }, written);
    assert_eq!(host.list(Some(hostile)).await.unwrap().len(), 1);
    for another in ["a", "a\u{fdd0}0b \u{fdd0}0 \\0 é", "a\u{fffd}b \u{fdd0}0 \\0 é"] {
        assert_eq!(host.list(Some(another)).await.unwrap(), []);
    }
    host.release(&lease).await.unwrap();
    assert!(matches!(host.acquire(&written.id).await.unwrap(), Acquired::Leased(..)));
    assert_eq!(host.unused_for(Duration::ZERO).await.unwrap(), [""; 0]);
    host.tombstone(&written.id).await.unwrap();
    host.forget(&written.id).await.unwrap();
    assert_eq!(host.find(&written.id).await.unwrap(), None);
}

async fn an_id_is_given_once(place: Place) {
    let host = place.host(LONG).await;
    let session = record(None);
    host.create(&session).await.unwrap();
    assert!(matches!(host.create(&session).await, Err(CatalogError::Exists)));
    host.tombstone(&session.id).await.unwrap();
    assert!(matches!(host.create(&session).await, Err(CatalogError::Exists)), "it is not gone yet");
}

async fn a_tombstoned_session_is_not_there_and_its_row_is_swept(place: Place) {
    let host = place.host(LONG).await;
    let (tombstoned, alive) = (record(None), record(None));
    let lease = host.create(&tombstoned).await.unwrap();
    host.create(&alive).await.unwrap();
    host.tombstone(&tombstoned.id).await.unwrap();
    assert_eq!(host.find(&tombstoned.id).await.unwrap(), None);
    assert_eq!(host.list(None).await.unwrap().len(), 1);
    assert!(matches!(host.acquire(&tombstoned.id).await.unwrap(), Acquired::Unknown));
    assert!(matches!(host.save(&lease, &metadata("idle")).await, Err(CatalogError::Fenced)));
    assert_eq!(host.epoch(&tombstoned.id), None);
    assert!(host.tombstoned().await.unwrap().is_empty(), "its host has a while to clean up");
    for id in [&tombstoned.id, &alive.id] {
        host.forget(id).await.unwrap();
    }
    assert!(host.create(&tombstoned).await.is_ok());
    assert!(host.find(&alive.id).await.unwrap().is_some(), "only tombstoned ones are forgotten");
}

async fn a_tombstone_of_an_earlier_version_is_still_one(place: Place) {
    let host = place.host(LONG).await;
    let (deleted, alive) = (record(None), record(None));
    host.create(&deleted).await.unwrap();
    host.create(&alive).await.unwrap();
    host.tombstone(&deleted.id).await.unwrap();
    drop(host);
    // The row of an earlier version, where a tombstone was a status.
    place
        .execute(
            "update agent_webkit_sessions set status = 'buried' where tombstoned_at_ms is not null;
            alter table agent_webkit_sessions drop column tombstoned_at_ms;
            drop index agent_webkit_sessions_wakes_idx;
            drop index agent_webkit_sessions_page_idx;
            alter table agent_webkit_sessions drop column wakes_at_ms;
            alter table agent_webkit_sessions drop column profile;
            alter table agent_webkit_streams drop column touched_at_ms;
            delete from agent_webkit_migrations where version >= 5;",
        )
        .await;
    let host = place.host(LONG).await;
    assert_eq!(host.find(&deleted.id).await.unwrap(), None);
    assert!(matches!(host.create(&deleted).await, Err(CatalogError::Exists)), "its data may be there still");
    host.forget(&deleted.id).await.unwrap();
    assert!(host.create(&deleted).await.is_ok());
    assert!(host.find(&alive.id).await.unwrap().is_some());
}

async fn only_the_holder_saves(place: Place) {
    let host = place.host(LONG).await;
    let session = record(None);
    let before = host.create(&session).await.unwrap();
    host.release(&before).await.unwrap();
    assert_eq!(host.epoch(&session.id), None);
    let Acquired::Leased(_, now) = host.acquire(&session.id).await.unwrap() else { panic!("it is free") };
    assert!(now.epoch > before.epoch);
    assert_eq!(host.epoch(&session.id), Some(now.epoch));
    assert!(matches!(host.save(&before, &metadata("running")).await, Err(CatalogError::Fenced)));
    assert_eq!(host.epoch(&session.id), Some(now.epoch), "an old lease takes nothing from a new one");
    host.save(&now, &metadata("running")).await.unwrap();
    host.release(&before).await.unwrap();
    host.save(&now, &metadata("idle")).await.unwrap();
}

async fn what_nobody_uses_is_named(place: Place) {
    let host = place.host(Duration::from_millis(1)).await;
    let session = record(None);
    let lease = host.create(&session).await.unwrap();
    assert!(host.unused_for(LONG).await.unwrap().is_empty());
    host.release(&lease).await.unwrap();
    while host.unused_for(Duration::from_millis(1)).await.unwrap() != [session.id.as_str()] {
        tokio::task::yield_now().await;
    }
}

async fn a_session_that_wakes_up_is_named(place: Place) {
    let (host, other) = (place.host(LONG).await, place.host(LONG).await);
    let session = record(Some("ada"));
    let lease = host.create(&session).await.unwrap();
    let waking = async |host: &dyn Catalog, time| {
        let waking = host.waking_within(time).await.unwrap().into_iter();
        waking.map(|record| record.id).collect::<Vec<_>>()
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let at = |wakes_at_ms| SessionMetadata { wakes_at_ms, ..metadata("idle") };
    host.save(&lease, &at(Some(now + 600_000))).await.unwrap();
    assert!(waking(&other, LONG * 20).await.is_empty(), "its host has it");
    host.release(&lease).await.unwrap();
    assert!(waking(&other, LONG).await.is_empty(), "it is too early");
    assert_eq!(waking(&other, LONG * 20).await, [session.id.as_str()]);

    let Acquired::Leased(_, lease) = other.acquire(&session.id).await.unwrap() else { panic!("it is free") };
    other.save(&lease, &at(None)).await.unwrap();
    other.release(&lease).await.unwrap();
    assert!(waking(&host, LONG * 20).await.is_empty(), "nothing is scheduled any more");

    let Acquired::Leased(_, lease) = host.acquire(&session.id).await.unwrap() else { panic!("it is free") };
    host.save(&lease, &at(Some(now - 600_000))).await.unwrap();
    host.release(&lease).await.unwrap();
    assert_eq!(waking(&other, LONG).await, [session.id.as_str()]);
    host.tombstone(&session.id).await.unwrap();
    assert!(waking(&other, LONG).await.is_empty(), "it is deleted");
}

/// A host that is known to be dead keeps no session from waking up.
#[tokio::test]
async fn a_session_of_a_dead_host_wakes_up_before_its_lease_expires() {
    let place = Place::postgres().await;
    let (host, other) = (place.host(LONG).await, place.host(LONG).await);
    let session = record(None);
    // In the past, so it is due.
    host.create(&session).await.unwrap();
    let waking = async || other.waking_within(LONG).await.unwrap().into_iter().map(|record| record.id);
    assert_eq!(waking().await.count(), 0, "its host may live");
    // As a host announces itself, with a lock that nobody holds any more.
    place
        .execute(
            "insert into agent_webkit_hosts (host, lock_id, server_started_at)
             select lease_holder, 4711, pg_postmaster_start_time() from agent_webkit_sessions",
        )
        .await;
    assert!(waking().await.eq([session.id.clone()]));
    assert!(matches!(other.acquire(&session.id).await.unwrap(), Acquired::Leased(..)));
    assert!(host.waking_within(LONG).await.unwrap().is_empty(), "a host without a lock may live");
}
