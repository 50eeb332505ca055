//! Measures the memory of an idle session, for benches/README.md. It asserts nothing, so it is ignored by
//! default:
//! `cargo nextest run -E 'test(cost)' --run-ignored only --no-capture`.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use http::StatusCode;
use serde_json::json;

use crate::{
    place::Place,
    reader::Reader,
    support::{
        Script, Server,
        processes::{agent_of, resident_kib},
    },
};

const AWAKE: usize = 5;
const ASLEEP: usize = 20;
const STORED: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn an_idle_session() {
    println!("| resident memory per idle session | server | agent |\n|---|---|---|");
    awake().await;
    asleep().await;
    stored(true).await;
    stored(false).await;
}

fn tell(what: &str, server: u64, agent: u64, sessions: usize) {
    let sessions = sessions as u64;
    println!("| {what} | {} KiB | {} MiB |", server / sessions, agent / sessions / 1024);
}

async fn awake() {
    let server = Place::Sqlite.server().option("--hibernate-after", "1h").start().await;
    let _first = rested(&server).await;
    let before = resident_kib(server.pid());
    let mut readers = Vec::new();
    for _ in 0..AWAKE {
        readers.push(rested(&server).await);
    }
    let agents = readers.iter().flat_map(|reader| agent_of(&reader.id));
    let agents = agents.map(|agent| resident_kib(agent.pid.unsigned_abs())).sum();
    let grown = resident_kib(server.pid()).saturating_sub(before);
    tell(&format!("{AWAKE} with their agents, each with a reader"), grown, agents, AWAKE);
}

async fn asleep() {
    let server = Place::Sqlite.server().option("--hibernate-after", "1s").start().await;
    let _first = rested(&server).await;
    let before = resident_kib(server.pid());
    let mut readers = Vec::new();
    for _ in 0..ASLEEP {
        let mut reader = rested(&server).await;
        reader.until("status").await;
        readers.push(reader);
    }
    let grown = resident_kib(server.pid()).saturating_sub(before);
    tell(&format!("{ASLEEP} that hibernate after a turn, each with a reader"), grown, 0, ASLEEP);
}

/// Sessions that were restored from storage, as after a restart.
async fn stored(with_readers: bool) {
    let server = Place::Sqlite.server().option("--max-sessions", "600");
    let again = server.clone().claude(deaf(&server.dir("tmp"))).start().await;
    let mut ids = Vec::new();
    for _ in 0..STORED {
        ids.push(again.client().created(&json!({})).await);
    }
    drop(again.kill());
    let server = server.start().await;
    server.client().get("/sessions").await;
    let before = resident_kib(server.pid());
    let mut readers = Vec::new();
    for id in &ids {
        if with_readers {
            let mut reader = Reader::of(server.client(), id);
            reader.until("session_ready").await;
            readers.push(reader);
        } else {
            assert_eq!(server.client().get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
        }
    }
    let grown = resident_kib(server.pid()).saturating_sub(before);
    let readers = if with_readers { "each with a reader" } else { "without readers" };
    tell(&format!("{STORED} that were restored, {readers}"), grown, 0, STORED);
}

/// A session after a turn of two hundred words.
async fn rested(server: &Server) -> Reader {
    let mut reader = Reader::create(server.client()).await;
    reader.say("words", Script::slow(200, 0).to_string()).await;
    reader.until("result").await;
    reader
}

/// Writes a CLI that does nothing.
fn deaf(folder: &std::path::Path) -> PathBuf {
    let path = folder.join("claude");
    fs::write(&path, "#!/bin/sh\nexec sleep 1000\n").expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    path
}
