//! Entries that nobody should write, but that agents write.

use agent_webkit::storage::transcripts::{StoreError, TranscriptKey};
use serde_json::{Value, json};

use crate::rig::{Rig, key, typed};

on_every_store!(
    keys_are_only_compared,
    a_key_that_no_store_holds_is_refused_and_finds_nothing,
    entries_come_back_deep_equal,
    of_members_with_one_name_the_last_counts,
    numbers_keep_their_digits,
    what_is_no_unicode_comes_back_as_it_was,
    what_is_deep_comes_back,
    an_entry_of_ten_megabytes_comes_back,
    a_thousand_entries_keep_their_order,
    of_an_append_that_fails_nothing_is_stored,
);

async fn keys_are_only_compared(rig: &Rig) {
    let long = "ä".repeat(300);
    let names = [
        "",
        "..",
        "../..",
        "/",
        "'; drop table session_entries; --",
        "\"",
        "%",
        "_",
        "ä😀\u{202e}",
        "A",
        "a",
        " ",
        &long,
    ];
    for (n, name) in names.iter().enumerate() {
        rig.append(&TranscriptKey::main(*name, "s"), [json!({"project": n})]).await;
        rig.append(&TranscriptKey::main("p", *name), [json!({"session": n})]).await;
        if !name.is_empty() {
            rig.append(&key().with_subpath(*name), [json!({"subpath": n})]).await;
        }
    }
    for (n, name) in names.iter().enumerate() {
        assert_eq!(
            rig.load(&TranscriptKey::main(*name, "s")).await.unwrap(),
            [json!({"project": n})],
            "{name}"
        );
        assert_eq!(
            rig.load(&TranscriptKey::main("p", *name)).await.unwrap(),
            [json!({"session": n})],
            "{name}"
        );
        if !name.is_empty() {
            assert_eq!(
                rig.load(&key().with_subpath(*name)).await.unwrap(),
                [json!({"subpath": n})],
                "{name}"
            );
        }
    }
    assert_eq!(rig.subkeys(&key()).await.len(), names.len() - 1);
    assert_eq!(rig.sessions("p").await.len(), names.len());
    rig.store.delete(&TranscriptKey::main("p", "%")).await.unwrap();
    assert_eq!(rig.sessions("p").await.len(), names.len() - 1);
}

async fn a_key_that_no_store_holds_is_refused_and_finds_nothing(rig: &Rig) {
    let long = (0..4000).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect::<String>();
    for name in ["a\0b", "\0", &long] {
        for key in [TranscriptKey::main(name, "s"), TranscriptKey::main("p", name), key().with_subpath(name)]
        {
            let refused = rig.store.append(&key, &typed([json!({"n": 1})])).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
            assert_eq!(rig.load(&key).await, None);
            assert!(rig.subkeys(&key).await.is_empty());
            rig.store.delete(&key).await.unwrap();
        }
        assert!(rig.sessions(name).await.is_empty());
        assert!(rig.store.list_session_summaries(name).await.unwrap().is_empty());
        assert!(rig.store.find(name).await.unwrap().is_empty());
    }
}

async fn entries_come_back_deep_equal(rig: &Rig) {
    let entries = [
        json!({}),
        json!({"z": 1, "a": {"y": [1, "2", null, true, [], {}], "b": ""}}),
        json!({"": {"": ""}, "a b": "\n\t\"\\/\u{8}\u{c}\u{7f}\u{2028}", "ä": "😀\u{fffd}\u{10ffff}"}),
        json!({"n": [0, -1, 1.5, 1e21, -1e-7, u64::MAX, i64::MIN, 0.1, 1.0]}),
        json!({"uuid": "'; drop table session_entries; --"}),
    ];
    rig.append(&key(), entries.clone()).await;
    assert_eq!(rig.load(&key()).await.unwrap(), entries);
}

async fn of_members_with_one_name_the_last_counts(rig: &Rig) {
    rig.append_text(&key(), r#"{"uuid":"a","n":1,"uuid":"b","n":{"m":2,"m":3}}"#).await.unwrap();
    rig.append_text(&key(), r#"{"uuid":"b"}"#).await.unwrap();
    assert_eq!(rig.load(&key()).await.unwrap(), [json!({"uuid": "b", "n": {"m": 3}})]);
}

async fn numbers_keep_their_digits(rig: &Rig) {
    for number in
        ["123456789012345678901234567890", "0.1000000000000000055511151231257827", "9007199254740993"]
    {
        let json = format!(r#"{{"n":{number}}}"#);
        let key = TranscriptKey::main("numbers", number);
        rig.append_text(&key, &json).await.unwrap();
        let text = rig.load_texts(&key).await.unwrap().remove(0);
        assert_eq!(text.replace(' ', ""), json);
    }
    for json in [r#"{"n":1e99999}"#, r#"{"n":-1e-99999}"#] {
        let key = TranscriptKey::main("numbers", json);
        rig.append_text(&key, json).await.unwrap();
        assert_eq!(rig.load_texts(&key).await.unwrap(), [json]);
    }
}

async fn what_is_no_unicode_comes_back_as_it_was(rig: &Rig) {
    let texts = [
        r#"{"uuid":"a","s":"\u0000"}"#,
        r#"{"uuid":"b","s":"cut in half \ud83d"}"#,
        r#"{"\udc00":{"\u0000":"\ud800\u0000"}}"#,
        r#"{"uuid":"\u0000"}"#,
    ];
    for text in texts {
        rig.append_text(&key(), text).await.unwrap();
    }
    assert_eq!(rig.load_texts(&key()).await.unwrap(), texts);
}

async fn what_is_deep_comes_back(rig: &Rig) {
    let deep = format!(r#"{{"type":"x","deep":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    rig.append_text(&key(), &deep).await.unwrap();
    assert!(rig.load_texts(&key()).await.unwrap() == [deep]);
}

async fn an_entry_of_ten_megabytes_comes_back(rig: &Rig) {
    let image = "iVBORw0KGgoAAAA".repeat(700_000);
    let entry =
        json!({"type": "user", "uuid": "big", "message": {"content": [{"type": "image", "data": image}]}});
    rig.append(&key(), [entry.clone()]).await;
    assert!(rig.load(&key()).await.unwrap() == [entry]);
}

async fn a_thousand_entries_keep_their_order(rig: &Rig) {
    let entries: Vec<Value> = (0..1000)
        .map(|n| if n % 3 == 0 { json!({"n": n}) } else { json!({"n": n, "uuid": n.to_string()}) })
        .collect();
    rig.append(&key(), entries.clone()).await;
    assert_eq!(rig.load(&key()).await.unwrap(), entries);
}

async fn of_an_append_that_fails_nothing_is_stored(rig: &Rig) {
    if rig.fenced().is_none() {
        // The transcript store in memory cannot fail between two entries.
        return;
    }
    rig.execute("create unique index only_one on session_entries (entry)").await;
    rig.append(&key(), [json!({"n": 1})]).await;
    let before = rig.store.list_session_summaries("proj").await.unwrap();
    let failed = rig.store.append(&key(), &typed([json!({"n": 2}), json!({"n": 1}), json!({"n": 3})])).await;
    assert!(matches!(failed, Err(StoreError::Invalid(_))), "{failed:?}");
    assert_eq!(rig.load(&key()).await.unwrap(), [json!({"n": 1})]);
    assert_eq!(rig.store.list_session_summaries("proj").await.unwrap(), before);
}
