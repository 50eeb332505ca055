//! Summaries: written together with their entries, with the time of the transcript store.

use agent_webkit::storage::transcripts::{SessionSummary, TranscriptKey};
use serde_json::{Value, json};

use crate::rig::{Rig, key};

on_every_store!(
    a_summary_is_kept_while_its_session_is_appended_to,
    a_summary_is_as_new_as_its_session,
    sub_agents_never_touch_it,
    what_is_repeated_is_not_folded_again,
);

async fn summary(rig: &Rig) -> SessionSummary {
    let [summary] = &rig.store.list_session_summaries("proj").await.unwrap()[..] else {
        panic!("there is one session");
    };
    summary.clone()
}

fn titled(title: &str, timestamp: &str) -> Value {
    json!({"type": "x", "uuid": title, "timestamp": timestamp, "customTitle": title})
}

async fn a_summary_is_kept_while_its_session_is_appended_to(rig: &Rig) {
    rig.append(&key(), [titled("first", "2024-01-01T00:00:00.000Z"), json!({"type": "x"})]).await;
    rig.append(&key(), [titled("second", "2024-01-01T00:00:02.000Z")]).await;
    rig.append(&TranscriptKey::main("other", "elsewhere"), [json!({"type": "x"})]).await;
    let summary = summary(rig).await;
    assert_eq!(summary.session_id, "sess");
    assert_eq!(
        Value::from(summary.data),
        json!({"is_sidechain": false, "created_at": 1_704_067_200_000_i64, "custom_title": "second"})
    );
    assert!(rig.store.list_session_summaries("never").await.unwrap().is_empty());
    rig.store.delete(&key()).await.unwrap();
    assert!(rig.store.list_session_summaries("proj").await.unwrap().is_empty());
}

async fn a_summary_is_as_new_as_its_session(rig: &Rig) {
    for n in 0..5 {
        rig.append(&key(), [json!({"type": "x", "n": n, "timestamp": "2000-01-01T00:00:00Z"})]).await;
        let session = rig.store.list_sessions("proj").await.unwrap().remove(0);
        let noted = summary(rig).await.mtime_ms;
        assert!(noted > 1_000_000_000_000 && noted >= session.mtime_ms, "{noted} {session:?}");
    }
}

async fn sub_agents_never_touch_it(rig: &Rig) {
    let sub = key().with_subpath("subagents/agent-1");
    rig.append(&sub, [titled("sub", "2024-01-01T00:00:00Z")]).await;
    assert!(rig.store.list_session_summaries("proj").await.unwrap().is_empty());
    rig.append(&key(), [titled("main", "2024-01-01T00:00:00Z")]).await;
    let before = summary(rig).await;
    rig.append(&sub, [titled("again", "2024-01-01T00:00:09Z")]).await;
    rig.store.delete(&sub).await.unwrap();
    assert_eq!(summary(rig).await, before);
}

async fn what_is_repeated_is_not_folded_again(rig: &Rig) {
    let one = titled("one", "2024-01-01T00:00:00Z");
    rig.append(&key(), [one.clone()]).await;
    rig.append(&key(), [titled("two", "2024-01-01T00:00:01Z")]).await;
    rig.append(&key(), [one]).await;
    assert_eq!(summary(rig).await.data["custom_title"], "two");
}
