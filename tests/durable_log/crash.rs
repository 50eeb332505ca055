//! A process that is killed while it appends.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use agent_webkit::{
    layers::resume::{Cursor, EventLog, EventStream},
    storage::{
        database::Database,
        events::{DurableConfig, DurableLog},
    },
};

use crate::reader::{Reader, frames, numbers};

const CHILD: &str = "AGENT_WEBKIT_TEST_APPENDS_TO";

/// Runs in the process below: appends for ever and prints what was stored.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let log = DurableLog::new(Database::sqlite(path).await.unwrap(), DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut last = stream.bounds().last;
    loop {
        let batch = last + 1..=last + 1 + last % 40;
        last = *stream.append(numbers(batch)).await.unwrap().end();
        let mut out = std::io::stdout();
        writeln!(out, "\nstored {last}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_told_stored_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let mut last = 0;
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_process_that_is_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = lines.filter_map(|line| line.strip_prefix("stored ")?.parse::<u64>().ok());
        let mut stored = told.by_ref().nth(5 + round * 7).expect("it appends");
        child.kill().unwrap();
        stored = told.last().unwrap_or(stored);
        child.wait().unwrap();

        let log = DurableLog::new(Database::sqlite(&path).await.unwrap(), DurableConfig::default());
        let stream = log.open("key").await.unwrap();
        assert!(stream.bounds().last >= stored && stored > last);
        last = stream.bounds().last;
        assert_eq!(Reader::attach(&stream, Cursor::Oldest).await.until(last).await, frames(1..=last));
        assert_eq!(stream.append(numbers(last + 1..=last + 1)).await.unwrap(), last + 1..=last + 1);
        log.shutdown().await;
    }
}
