//! Many writers at once.

use std::{collections::BTreeSet, sync::Arc};

use agent_webkit::storage::transcripts::TranscriptKey;
use serde_json::json;
use tokio::task::JoinSet;

use crate::rig::{Rig, key, typed};

on_every_store!(
    appends_to_one_session_do_not_mix,
    the_same_uuids_from_everywhere_are_stored_once,
    sessions_do_not_disturb_each_other,
    no_title_is_lost,
    an_append_and_a_delete_leave_all_or_nothing,
    an_append_that_is_given_up_leaves_all_or_nothing,
);

/// Runs all tasks at the same time on the runtime's threads.
async fn together<F: Future<Output = ()> + Send + 'static>(tasks: impl Iterator<Item = F>) {
    tasks.collect::<JoinSet<()>>().join_all().await;
}

async fn appends_to_one_session_do_not_mix(rig: &Rig) {
    let writers = (0..16).map(|writer| {
        let store = Arc::clone(&rig.store);
        async move {
            for batch in 0..4 {
                let entries = (0..5).map(
                    |n| json!({"w": writer, "n": batch * 5 + n, "uuid": format!("{writer}.{batch}.{n}")}),
                );
                store.append(&key(), &typed(entries)).await.unwrap();
            }
        }
    });
    together(writers).await;
    let loaded = rig.load(&key()).await.unwrap();
    assert_eq!(loaded.len(), 16 * 20);
    for batch in loaded.chunks(5) {
        assert!(batch.iter().all(|entry| entry["w"] == batch[0]["w"]), "{batch:?}");
    }
    for writer in 0..16 {
        let order: Vec<_> =
            loaded.iter().filter(|entry| entry["w"] == writer).map(|entry| &entry["n"]).collect();
        assert!(order.iter().zip(0..).all(|(n, expected)| **n == expected), "{order:?}");
    }
}

async fn the_same_uuids_from_everywhere_are_stored_once(rig: &Rig) {
    let writers = (0..8_usize).map(|writer| {
        let store = Arc::clone(&rig.store);
        async move {
            // Each writer begins at another entry, so that the writers meet in every order.
            let entries = typed((0..20).map(|n| json!({"uuid": ((n + writer * 3) % 20).to_string()})));
            for batch in entries.chunks(4) {
                store.append(&key(), batch).await.unwrap();
            }
        }
    });
    together(writers).await;
    let loaded = rig.load(&key()).await.unwrap();
    let uuids: BTreeSet<_> = loaded.iter().map(|entry| entry["uuid"].as_str().unwrap()).collect();
    assert_eq!((loaded.len(), uuids.len()), (20, 20));
}

async fn sessions_do_not_disturb_each_other(rig: &Rig) {
    let writers = (0..12).map(|session| {
        let store = Arc::clone(&rig.store);
        async move {
            let key = TranscriptKey::main("proj", format!("s{session}"));
            for n in 0..5 {
                store
                    .append(&key, &typed([json!({"session": session, "n": n, "uuid": n.to_string()})]))
                    .await
                    .unwrap();
            }
        }
    });
    together(writers).await;
    for session in 0..12 {
        let loaded = rig.load(&TranscriptKey::main("proj", format!("s{session}"))).await.unwrap();
        let expected: Vec<_> =
            (0..5).map(|n| json!({"session": session, "n": n, "uuid": n.to_string()})).collect();
        assert_eq!(loaded, expected);
    }
    assert_eq!(rig.store.list_session_summaries("proj").await.unwrap().len(), 12);
}

/// Each writer changes another member of the summary. A read before another writer's write would lose that
/// member.
async fn no_title_is_lost(rig: &Rig) {
    const MEMBERS: [(&str, &str); 5] = [
        ("customTitle", "custom_title"),
        ("aiTitle", "ai_title"),
        ("lastPrompt", "last_prompt"),
        ("summary", "summary_hint"),
        ("gitBranch", "git_branch"),
    ];
    for round in 0..5 {
        let key = TranscriptKey::main(format!("round{round}"), "s");
        let writers = MEMBERS.map(|(name, _)| {
            let (store, key) = (Arc::clone(&rig.store), key.clone());
            async move { store.append(&key, &typed([json!({ (name): "noted" })])).await.unwrap() }
        });
        together(writers.into_iter()).await;
        let summary = rig.store.list_session_summaries(&key.project_key).await.unwrap().remove(0);
        for (_, noted) in MEMBERS {
            assert_eq!(summary.data[noted], "noted");
        }
    }
}

async fn an_append_and_a_delete_leave_all_or_nothing(rig: &Rig) {
    for round in 0..5 {
        let key = TranscriptKey::main("proj", round.to_string());
        let (store, other) = (Arc::clone(&rig.store), Arc::clone(&rig.store));
        let entries = typed((0..10).map(|n| json!({"n": n, "uuid": n.to_string()})));
        let (appended, deleted) =
            tokio::join!(async { store.append(&key, &entries).await }, async { other.delete(&key).await });
        appended.unwrap();
        deleted.unwrap();
        let left = rig.load(&key).await.map_or(0, |entries| entries.len());
        let summaries = rig.store.list_session_summaries("proj").await.unwrap();
        let noted = summaries.iter().any(|summary| summary.session_id == key.session_id);
        assert!((left, noted) == (0, false) || (left, noted) == (10, true), "{left} {noted}");
    }
}

/// A writer that gives up an append does not know whether it was stored, and repeats it.
async fn an_append_that_is_given_up_leaves_all_or_nothing(rig: &Rig) {
    let entries = typed((0..10).map(|n| json!({"n": n, "uuid": n.to_string()})));
    for patience in 0..40 {
        let key = TranscriptKey::main("proj", patience.to_string());
        tokio::select! {
            biased;
            done = rig.store.append(&key, &entries) => done.unwrap(),
            () = async {
                for _ in 0..patience * patience * 5 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        let left = rig.load(&key).await.map_or(0, |entries| entries.len());
        assert!(left == 0 || left == 10, "{left}");
        rig.store.append(&key, &entries).await.unwrap();
        assert_eq!(rig.load(&key).await.unwrap().len(), 10);
    }
}
