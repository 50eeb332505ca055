//! The Python reference's transcript store on the same tables: each reads the other's entries.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use agent_webkit::storage::transcripts::{MemoryTranscripts, PgTranscripts, TranscriptKey, TranscriptStore};
use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    postgres::TestDatabase,
    rig::{key, sorted, typed},
};

/// The reference's `PgSessionStore`, as a process.
struct Reference {
    process: Child,
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reference {
    /// `None`, with a message, if the reference is not installed.
    fn on(database: &TestDatabase) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("AGENT_WEBKIT_REFERENCE")
            .map_or_else(|| root.join(".local/reference/bin/python"), PathBuf::from);
        if !python.exists() {
            eprintln!("skipped: the Python reference is not installed (scripts/reference.sh does that)");
            return None;
        }
        let mut process = Command::new(python)
            .arg(root.join("tests/reference/store.py"))
            .arg(database.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (calls, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Some(Self { process, calls, answers: BufReader::new(answers) })
    }

    fn call(&mut self, call: &Value) -> Value {
        writeln!(self.calls, "{call}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the reference failed at {call}");
        serde_json::from_str(&answer).unwrap()
    }

    fn append(&mut self, key: &TranscriptKey, entries: &[Value]) {
        self.call(&json!(["append", named(key), entries]));
    }

    fn load(&mut self, key: &TranscriptKey) -> Value {
        self.call(&json!(["load", named(key)]))
    }

    /// Returns the rows, sorted by session, with the times separated.
    fn listed(&mut self, method: &str) -> Vec<(String, i64, Value)> {
        let Value::Array(all) = self.call(&json!([method, "proj"])) else { panic!("{method} gives a list") };
        let mut all: Vec<_> = all
            .into_iter()
            .map(|one| {
                let session = one["session_id"].as_str().unwrap().to_owned();
                (session, one["mtime"].as_i64().unwrap(), one["data"].clone())
            })
            .collect();
        all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        all
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn named(key: &TranscriptKey) -> Value {
    let mut name = json!({"project_key": key.project_key, "session_id": key.session_id});
    if !key.is_main() {
        name["subpath"] = key.subpath.clone().into();
    }
    name
}

async fn ours(store: &PgTranscripts, key: &TranscriptKey) -> Value {
    let loaded = store.load(key).await.unwrap();
    loaded
        .map(|all| {
            all.iter().map(|e| serde_json::from_str::<Value>(e.json().get()).unwrap()).collect::<Vec<_>>()
        })
        .into()
}

fn said(n: usize) -> Value {
    json!({
        "type": "user", "uuid": format!("u{n}"), "parentUuid": null, "cwd": "/srv",
        "timestamp": format!("2024-05-06T07:08:09.{n:03}Z"), "gitBranch": format!("b{n}"),
        "message": {"role": "user", "content": format!("Say \"ä😀\" {n}\n")},
        "n": [0, -1, 1.5, 0.1, 9_007_199_254_740_993_i64, {"": []}],
    })
}

#[tokio::test]
async fn each_reads_what_the_other_has_written() {
    let database = TestDatabase::new().await;
    let Some(mut reference) = Reference::on(&database) else { return };
    // The reference creates its tables first, as in a deployment that migrates from it.
    assert_eq!(reference.load(&key()), Value::Null);
    let store = PgTranscripts::connect(database.url(), 0, 2).await.unwrap();

    let sub = key().with_subpath("subagents/agent-1");
    let mut all = Vec::new();
    for n in 0..6 {
        let batch = [said(n), json!({"type": "x", "turn": n})];
        if n % 2 == 0 {
            reference.append(&key(), &batch);
            reference.append(&sub, &batch);
        } else {
            store.append(&key(), &typed(batch.clone())).await.unwrap();
            store.append(&sub, &typed(batch.clone())).await.unwrap();
        }
        all.extend(batch);
        // Entries that the other has written are not written again.
        reference.append(&key(), &all[..1]);
        store.append(&key(), &typed(all[..1].to_vec())).await.unwrap();
    }
    let other = TranscriptKey::main("proj", "other");
    store.append(&other, &typed([json!({"type": "tag", "tag": "t"})])).await.unwrap();

    for key in [&key(), &sub] {
        assert_eq!(reference.load(key), Value::from(all.clone()));
        assert_eq!(ours(&store, key).await, Value::from(all.clone()));
    }
    assert_eq!(reference.call(&json!(["list_subkeys", named(&key())])), json!(["subagents/agent-1"]));

    let mut sessions = store.list_sessions("proj").await.unwrap();
    sessions.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    let sessions: Vec<_> =
        sessions.into_iter().map(|session| (session.session_id, session.mtime_ms, Value::Null)).collect();
    assert_eq!(reference.listed("list_sessions"), sessions);

    let mut summaries = store.list_session_summaries("proj").await.unwrap();
    summaries.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    let summaries: Vec<_> = summaries
        .into_iter()
        .map(|noted| (noted.session_id, noted.mtime_ms, Value::from(noted.data)))
        .collect();
    assert_eq!(reference.listed("list_session_summaries"), summaries);
    assert_eq!(summaries[1].2["first_prompt"], "Say \"ä😀\" 0");

    reference.call(&json!(["delete", named(&key())]));
    assert_eq!(ours(&store, &sub).await, Value::Null);
    store.delete(&other).await.unwrap();
    assert_eq!(reference.load(&other), Value::Null);
}

#[tokio::test]
async fn the_reference_reads_what_jsonb_cannot_hold() {
    let database = TestDatabase::new().await;
    let store = PgTranscripts::connect(database.url(), 0, 2).await.unwrap();
    let Some(mut reference) = Reference::on(&database) else { return };
    store.append(&key(), &[r#"{"uuid":"a","s":"half \ud83d"}"#.parse().unwrap()]).await.unwrap();
    assert_eq!(reference.load(&key()), json!([{"uuid": "a", "s": "half \u{fffd}"}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_append_to_one_session_at_once() {
    let database = TestDatabase::new().await;
    let Some(mut reference) = Reference::on(&database) else { return };
    let store = PgTranscripts::connect(database.url(), 0, 4).await.unwrap();
    let theirs = std::thread::spawn(move || {
        (0..50).for_each(|n| reference.append(&key(), &[said(n), json!({"theirs": n})]));
        reference
    });
    for n in 0..50 {
        store.append(&key(), &typed([said(n), json!({"ours": n})])).await.unwrap();
    }
    let mut reference = theirs.join().unwrap();
    let loaded = ours(&store, &key()).await;
    assert_eq!(reference.load(&key()), loaded);
    let loaded = loaded.as_array().unwrap();
    let of = |member: &str| loaded.iter().filter_map(|entry| entry[member].as_u64()).collect::<Vec<_>>();
    assert_eq!(of("theirs"), (0..50).collect::<Vec<_>>());
    assert_eq!(of("ours"), (0..50).collect::<Vec<_>>());
    let uuids = sorted(loaded.iter().filter_map(|entry| Some(entry["uuid"].as_str()?.to_owned())).collect());
    assert_eq!(uuids.len(), 50);
}

#[tokio::test]
async fn both_sum_up_alike() {
    let database = TestDatabase::new().await;
    let Some(mut reference) = Reference::on(&database) else { return };
    let mut runner = TestRunner::default();
    let transcripts = prop::collection::vec(entry(), 0..6);
    for _ in 0..1000 {
        let entries = transcripts.new_tree(&mut runner).unwrap().current();
        let store = MemoryTranscripts::new();
        store.append(&key(), &typed(entries.clone())).await.unwrap();
        let noted = store.list_session_summaries("proj").await.unwrap().pop();
        let data = noted.map_or(json!({}), |noted| noted.data.into());
        assert_eq!(data, reference.call(&json!(["fold", entries])), "{}", Value::from(entries));
    }
}

/// Entries that cover every case of the summary.
fn entry() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![
            select(TEXTS).prop_map(str::to_owned),
            (select(TEXTS), select(TEXTS), select(TEXTS)).prop_map(|(a, b, c)| format!("{a}{b}{c}")),
            (150..250_usize, select(TEXTS)).prop_map(|(n, text)| format!(
                "{}{text}{}",
                "ä".repeat(n),
                " b".repeat(30)
            )),
        ]
    };
    let value = move || {
        prop_oneof![
            8 => text().prop_map(Value::from),
            1 => select(vec![json!(null), json!(true), json!(false), json!(0), json!(1), json!([]), json!({})]),
        ]
    };
    let block = (select(vec!["text", "text", "tool_result", "image"]), value())
        .prop_map(|(kind, text)| json!({"type": kind, "text": text}));
    let content = prop_oneof![value(), prop::collection::vec(block, 0..4).prop_map(Value::from)];
    let message = prop_oneof![
        8 => content.prop_map(|content| json!({"role": "user", "content": content})),
        1 => value(),
    ];
    let names = select(vec![
        "cwd",
        "customTitle",
        "aiTitle",
        "lastPrompt",
        "summary",
        "gitBranch",
        "tag",
        "isMeta",
        "isCompactSummary",
        "isSidechain",
    ]);
    let members = prop::collection::vec((names, value()), 0..5);
    (select(vec!["user", "user", "assistant", "tag"]), message, timestamp(), members).prop_map(
        |(kind, message, timestamp, members)| {
            let mut entry = json!({"type": kind, "message": message, "timestamp": timestamp});
            members.into_iter().for_each(|(name, value)| entry[name] = value);
            entry
        },
    )
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "\n",
    "hello",
    "ä😀",
    "\u{1c}",
    "\u{a0}",
    "\u{85}",
    "\u{200b}",
    "<command-name>/a</command-name>",
    "<command-name></command-name>",
    "<command-name>",
    "</command-name>",
    "<local-command-stdout>",
    "<tick>",
    "<goal>",
    "<session-start-hook>",
    "[Request interrupted by user]",
    "[Request interrupted by user",
    "]",
    "<ide_opened_file>",
    "</ide_opened_file>",
    "<ide_selection>",
    "</ide_selection>",
    "/srv",
];

fn timestamp() -> impl Strategy<Value = Value> {
    let written = (1970..2100, 1..14, 1..32, 0..25, 0..60, 0..61).prop_flat_map(|(y, m, d, h, min, s)| {
        let fraction =
            prop_oneof![Just(String::new()), (0..1000).prop_map(|f| format!(".{f:03}")), "\\.[0-9]{1,8}"];
        let offset = select(vec!["Z", "+00:00", "-07:30", "+0100"]);
        (fraction, offset).prop_map(move |(fraction, offset)| {
            format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}{fraction}{offset}")
        })
    });
    prop_oneof![8 => written.prop_map(Value::from), 1 => select(vec![json!("soon"), json!(null), json!(7)])]
}
