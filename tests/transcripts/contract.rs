//! The fourteen contracts of the SDK's session-store conformance suite, except the one on summaries.

use agent_webkit::storage::transcripts::TranscriptKey;
use serde_json::json;

use crate::rig::{Rig, key};

on_every_store!(
    entries_come_back_in_the_order_they_were_appended,
    what_was_never_written_is_none,
    appends_keep_their_order,
    appending_nothing_changes_nothing,
    a_uuid_is_stored_once,
    entries_without_a_uuid_are_always_appended,
    a_subpath_is_a_transcript_of_its_own,
    projects_see_nothing_of_each_other,
    sessions_of_a_project_are_listed_with_their_time,
    a_sub_agent_is_no_session,
    deleting_a_session_takes_all_of_it_and_nothing_else,
    deleting_a_subpath_takes_only_that,
    subkeys_are_those_of_the_session_without_the_main_one,
    a_session_is_found_in_its_projects,
);

async fn entries_come_back_in_the_order_they_were_appended(rig: &Rig) {
    let entries = [json!({"type": "x", "uuid": "b", "n": 1}), json!({"type": "x", "uuid": "a", "n": 2})];
    rig.append(&key(), entries.clone()).await;
    assert_eq!(rig.load(&key()).await.unwrap(), entries);
}

async fn what_was_never_written_is_none(rig: &Rig) {
    assert_eq!(rig.load(&TranscriptKey::main("proj", "nope")).await, None);
    rig.append(&key(), [json!({"n": 1})]).await;
    assert_eq!(rig.load(&key().with_subpath("nope")).await, None);
}

async fn appends_keep_their_order(rig: &Rig) {
    let all = ["z", "a", "m", "b"].map(|uuid| json!({"uuid": uuid}));
    rig.append(&key(), all[..1].to_vec()).await;
    rig.append(&key(), all[1..3].to_vec()).await;
    rig.append(&key(), all[3..].to_vec()).await;
    assert_eq!(rig.load(&key()).await.unwrap(), all);
}

async fn appending_nothing_changes_nothing(rig: &Rig) {
    rig.append(&key(), []).await;
    assert_eq!(rig.load(&key()).await, None);
    assert!(rig.sessions("proj").await.is_empty());
    rig.append(&key(), [json!({"n": 1})]).await;
    rig.append(&key(), []).await;
    assert_eq!(rig.load(&key()).await.unwrap(), [json!({"n": 1})]);
}

async fn a_uuid_is_stored_once(rig: &Rig) {
    rig.append(
        &key(),
        [json!({"uuid": "a", "n": 1}), json!({"uuid": "b", "n": 2}), json!({"uuid": "a", "n": 3})],
    )
    .await;
    rig.append(&key(), [json!({"uuid": "b", "n": 4}), json!({"uuid": "c", "n": 5})]).await;
    let first = json!([{"uuid": "a", "n": 1}, {"uuid": "b", "n": 2}, {"uuid": "c", "n": 5}]);
    assert_eq!(json!(rig.load(&key()).await), first);
    // A uuid is unique only within its transcript.
    rig.append(&key().with_subpath("s"), [json!({"uuid": "a"})]).await;
    rig.append(&TranscriptKey::main("proj", "other"), [json!({"uuid": "a"})]).await;
    assert!(rig.load(&key().with_subpath("s")).await.is_some());
    assert!(rig.load(&TranscriptKey::main("proj", "other")).await.is_some());
}

async fn entries_without_a_uuid_are_always_appended(rig: &Rig) {
    let entries =
        [json!({"n": 1}), json!({"n": 1}), json!({"uuid": null}), json!({"uuid": 7}), json!({"uuid": ""})];
    rig.append(&key(), entries.clone()).await;
    rig.append(&key(), entries.clone()).await;
    // An empty string is a uuid like any other.
    let expected = [&entries[..], &entries[..4]].concat();
    assert_eq!(rig.load(&key()).await.unwrap(), expected);
}

async fn a_subpath_is_a_transcript_of_its_own(rig: &Rig) {
    let sub = key().with_subpath("subagents/agent-1");
    rig.append(&key(), [json!({"uuid": "m"})]).await;
    rig.append(&sub, [json!({"uuid": "s"})]).await;
    assert_eq!(rig.load(&key()).await.unwrap(), [json!({"uuid": "m"})]);
    assert_eq!(rig.load(&sub).await.unwrap(), [json!({"uuid": "s"})]);
}

async fn projects_see_nothing_of_each_other(rig: &Rig) {
    for project in ["A", "B"] {
        rig.append(&TranscriptKey::main(project, "s1"), [json!({"from": project})]).await;
    }
    for project in ["A", "B"] {
        assert_eq!(rig.load(&TranscriptKey::main(project, "s1")).await.unwrap(), [json!({"from": project})]);
        assert_eq!(rig.sessions(project).await, ["s1"]);
    }
}

async fn sessions_of_a_project_are_listed_with_their_time(rig: &Rig) {
    for (project, session) in [("proj", "a"), ("proj", "b"), ("other", "c")] {
        rig.append(&TranscriptKey::main(project, session), [json!({"n": 1})]).await;
    }
    assert_eq!(rig.sessions("proj").await, ["a", "b"]);
    assert!(rig.sessions("never").await.is_empty());
    let times = rig.store.list_sessions("proj").await.unwrap();
    assert!(times.iter().all(|session| session.mtime_ms > 1_000_000_000_000), "{times:?}");
}

async fn a_sub_agent_is_no_session(rig: &Rig) {
    rig.append(&TranscriptKey::main("proj", "main"), [json!({"n": 1})]).await;
    rig.append(&TranscriptKey::main("proj", "main").with_subpath("subagents/agent-1"), [json!({"n": 1})])
        .await;
    rig.append(&TranscriptKey::main("proj", "orphan").with_subpath("subagents/agent-1"), [json!({"n": 1})])
        .await;
    assert_eq!(rig.sessions("proj").await, ["main"]);
    assert!(rig.store.find("orphan").await.unwrap().is_empty());
}

async fn deleting_a_session_takes_all_of_it_and_nothing_else(rig: &Rig) {
    rig.store.delete(&TranscriptKey::main("proj", "never")).await.unwrap();
    let below = [key(), key().with_subpath("subagents/agent-1"), key().with_subpath("subagents/agent-2")];
    let others = [
        TranscriptKey::main("proj", "sess2"),
        TranscriptKey::main("other", "sess"),
        TranscriptKey::main("other", "sess").with_subpath("subagents/agent-1"),
    ];
    for key in below.iter().chain(&others) {
        rig.append(key, [json!({"uuid": "a"})]).await;
    }
    rig.store.delete(&key()).await.unwrap();
    for key in &below {
        assert_eq!(rig.load(key).await, None, "{key:?}");
    }
    for key in &others {
        assert!(rig.load(key).await.is_some(), "{key:?}");
    }
    assert!(rig.subkeys(&key()).await.is_empty());
    assert_eq!(rig.sessions("proj").await, ["sess2"]);
    assert_eq!(rig.store.list_session_summaries("proj").await.unwrap().len(), 1);
    // A deleted entry can be written again.
    rig.append(&key(), [json!({"uuid": "a"})]).await;
    assert!(rig.load(&key()).await.is_some());
}

async fn deleting_a_subpath_takes_only_that(rig: &Rig) {
    let subs = ["subagents/agent-1", "subagents/agent-2"].map(|subpath| key().with_subpath(subpath));
    for key in [&key(), &subs[0], &subs[1]] {
        rig.append(key, [json!({"n": 1})]).await;
    }
    rig.store.delete(&subs[0]).await.unwrap();
    assert_eq!(rig.load(&subs[0]).await, None);
    assert_eq!(rig.load(&subs[1]).await.unwrap().len(), 1);
    assert_eq!(rig.load(&key()).await.unwrap().len(), 1);
    assert_eq!(rig.subkeys(&key()).await, ["subagents/agent-2"]);
    assert_eq!(rig.store.list_session_summaries("proj").await.unwrap().len(), 1);
}

async fn subkeys_are_those_of_the_session_without_the_main_one(rig: &Rig) {
    rig.append(&key(), [json!({"n": 1})]).await;
    assert!(rig.subkeys(&key()).await.is_empty());
    for subpath in ["subagents/agent-2", "subagents/agent-1"] {
        rig.append(&key().with_subpath(subpath), [json!({"n": 1}), json!({"n": 2})]).await;
    }
    rig.append(&TranscriptKey::main("proj", "other").with_subpath("subagents/agent-x"), [json!({"n": 1})])
        .await;
    assert_eq!(rig.subkeys(&key()).await, ["subagents/agent-1", "subagents/agent-2"]);
    assert!(rig.subkeys(&TranscriptKey::main("proj", "never")).await.is_empty());
}

async fn a_session_is_found_in_its_projects(rig: &Rig) {
    assert!(rig.store.find("sess").await.unwrap().is_empty());
    for project in ["A", "B"] {
        rig.append(&TranscriptKey::main(project, "sess"), [json!({"n": 1}), json!({"n": 2})]).await;
    }
    let mut found = rig.store.find("sess").await.unwrap();
    found.sort();
    assert_eq!(found, ["A", "B"]);
}
