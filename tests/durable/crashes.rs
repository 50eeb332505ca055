//! The server is killed repeatedly in the middle of an answer.

use std::time::Duration;

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Script, Server, eventually},
};

const ROUNDS: usize = 10;

on_both! { ten_crashes }

async fn ten_crashes(place: Place) {
    let mut server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    let mut finished = Vec::new();
    for round in 0..ROUNDS {
        let words: Vec<_> = (0..60).map(|word| format!("r{round}w{word}")).collect();
        let script = Script::text(&words.join(" ")).pace(8);
        reader.say(&format!("round-{round}"), format!("Round {round}. {script}")).await;
        reader.until("user_message").await;
        let moment = random_up_to(Duration::from_millis(900));
        let _ = tokio::time::timeout(moment, async {
            loop {
                reader.next().await;
            }
        })
        .await;
        server = server.kill().start().await;
        let result = reader.last_result_or_until_it().await;
        match result["terminal_reason"].as_str() {
            Some("server_restart") => assert_eq!(result["subtype"], "error_during_execution"),
            _ => finished.push(round),
        }
    }
    let echo = reader.history("history").await;
    for round in finished {
        assert!(echo.contains(&format!("Round {round}.")), "round {round} is forgotten: {echo}");
    }
    reader.replays().await;
    ended_once(&reader);
    no_agent_is_left(server).await;
}

/// Checks that every message has one event and every turn one end.
fn ended_once(reader: &Reader) {
    let count = |event: &str| reader.shown.iter().filter(|frame| frame.event == event).count();
    assert_eq!(count("user_message"), ROUNDS + 1);
    assert_eq!(count("result"), ROUNDS + 1);
    assert_eq!(count("session_ready"), 1);
}

/// Checks that the agents that were killed with their servers leave no config directory.
async fn no_agent_is_left(server: Server) {
    // Beside the SQLite file, or in the temporary directory.
    let folders = [server.dir("home"), server.dir("tmp")];
    let _dirs = server.stop();
    eventually("the end of every private folder", async || {
        let mut entries =
            folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("the server's own folder"));
        entries.all(|entry| {
            !entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("agent-webkit"))
        })
    })
    .await;
}

fn random_up_to(limit: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0);
    Duration::from_millis(random % u64::try_from(limit.as_millis()).expect("a short time"))
}
