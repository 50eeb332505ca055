//! What an agent has scheduled comes at its time, whether its session sleeps, its server restarts or another host
//! has to take over. The schedules are the CLI's shortest, one and two minutes.

use std::{
    collections::HashSet,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    place::Place,
    reader::Reader,
    support::{Frame, Script, Server, eventually, processes::agent_of, tool},
};

/// How long the CLI's shortest schedules and a server that looks for them each minute may take.
const MINUTES: Duration = Duration::from_secs(240);

/// The sessions of a test, each with another schedule.
struct Sessions {
    once: Reader,
    looping: Reader,
    repeated: Reader,
    cancelled: Reader,
}

impl Sessions {
    async fn new(server: &Server) -> Self {
        let [mut once, mut looping, mut repeated, mut cancelled] = [
            Reader::create(server.client()).await,
            Reader::create(server.client()).await,
            Reader::create(server.client()).await,
            Reader::create(server.client()).await,
        ];
        create(&mut once, &in_two_minutes(), false).await;
        wake_up(&mut looping).await;
        create(&mut repeated, "* * * * *", true).await;
        let job = create(&mut cancelled, &in_two_minutes(), false).await;
        call(&mut cancelled, "CronDelete", &json!({"id": job})).await;
        Self { once, looping, repeated, cancelled }
    }

    /// Waits until a server restores them by itself, and until each has done what was scheduled, once.
    async fn come(mut self, server: &Server) {
        for reader in [&mut self.once, &mut self.looping, &mut self.repeated] {
            patiently("the session is restored", || is_restored(server, &reader.id)).await;
            reader.move_to(server.client());
            until_fired(reader, 1).await;
        }
        assert!(!is_restored(server, &self.cancelled.id), "nobody needs it");
        assert_eq!(prompts(&self.once), 1, "the agent began the turn");
        assert_eq!(prompts(&self.looping), 2, "the server sent the message");
        assert!(
            self.looping.shown.iter().any(|frame| frame.event == "status" && frame["status"] == "wakeup")
        );

        let jobs = call(&mut self.repeated, "CronList", &json!({})).await;
        assert!(jobs["output"].to_string().contains("Every minute"), "{jobs:?}");
        for reader in [&mut self.once, &mut self.looping, &mut self.cancelled] {
            reader.move_to(server.client());
            let jobs = call(reader, "CronList", &json!({})).await;
            assert!(jobs["output"].to_string().contains("No scheduled"), "{jobs:?}");
        }
        let again = fired(&self.repeated) + 1;
        until_fired(&mut self.repeated, again).await;
        for reader in [&self.once, &self.looping, &self.repeated, &self.cancelled] {
            reader.replays().await;
        }
    }
}

#[tokio::test]
async fn what_is_scheduled_survives_kill_9_and_a_restart() {
    let server = Place::Sqlite.server().start().await;
    let sessions = Sessions::new(&server).await;
    let server = server.kill().start().await.stop().start().await;
    sessions.come(&server).await;
}

#[tokio::test]
async fn what_is_scheduled_comes_on_another_host() {
    let place = Place::postgres().await;
    let [owner, other] = place.two_servers().await;
    let sessions = Sessions::new(&owner).await;
    drop(owner.kill());
    sessions.come(&other).await;
}

#[tokio::test]
async fn a_session_sleeps_until_its_time() {
    let server = Place::Sqlite.server().option("--hibernate-after", "1s").start().await;
    let mut once = Reader::create(server.client()).await;
    let mut looping = Reader::create(server.client()).await;
    create(&mut once, &in_two_minutes(), false).await;
    wake_up(&mut looping).await;
    assert_eq!(once.until("status").await["status"], "hibernating");
    eventually("the end of the agent", async || agent_of(&once.id).is_empty()).await;
    assert_eq!(agent_of(&looping.id).len(), 1, "no other process knows of it");
    for reader in [&mut once, &mut looping] {
        until_fired(reader, 1).await;
        assert_eq!(prompts(reader), 1, "the agent began the turn");
        while reader.until("status").await["status"] != "hibernating" {}
    }
    for reader in [&once, &looping] {
        reader.replays().await;
    }
}

#[tokio::test]
async fn a_deleted_session_forgets_its_schedule() {
    let server = Place::Sqlite.server().start().await;
    let [mut kept, mut deleted] =
        [Reader::create(server.client()).await, Reader::create(server.client()).await];
    for reader in [&mut deleted, &mut kept] {
        create(reader, "* * * * *", true).await;
    }
    assert_eq!(server.client().delete(&deleted.id).await.status, 204);
    let server = server.kill().start().await;
    patiently("the other session is restored", || is_restored(&server, &kept.id)).await;
    assert!(!is_restored(&server, &deleted.id));
    // The one that was killed with its server takes a moment to end.
    eventually("the end of its agent", async || agent_of(&deleted.id).is_empty()).await;
}

/// Schedules a job, whose id is returned.
async fn create(reader: &mut Reader, cron: &str, recurring: bool) -> String {
    let input = json!({"cron": cron, "prompt": Script::text("HELIOTROPE"), "recurring": recurring});
    let created = call(reader, "CronCreate", &input).await;
    let output = created["output"].to_string();
    let id = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    output.split(|char: char| !char.is_alphanumeric()).find(id).expect("an id").to_owned()
}

async fn wake_up(reader: &mut Reader) {
    let input = json!({"delaySeconds": 60, "reason": "a test", "prompt": Script::text("HELIOTROPE"),
        "noop": false});
    call(reader, "ScheduleWakeup", &input).await;
}

/// Has the agent call a tool. Returns its result.
async fn call(reader: &mut Reader, name: &str, input: &Value) -> Frame {
    let script = Script::new(tool(&format!("toolu_{name}"), name, input)).then("done");
    reader.say(name, script.to_string()).await;
    let output = loop {
        let frame = reader.next().await;
        match frame.event.as_str() {
            "permission_request" => {
                let answer = json!({"type": "permission_response", "behavior": "allow",
                    "correlation_id": frame["correlation_id"]});
                assert_eq!(reader.client.input(&reader.id, &answer).await.status, 204);
            }
            "tool_result" => break frame,
            _ => {}
        }
    };
    assert_ne!(output["is_error"], true, "{output:?}");
    reader.until("result").await;
    output
}

/// A cron expression for the minute after the next. The CLI runs jobs for a full or half hour early, so not for those.
fn in_two_minutes() -> String {
    let of = |from_now: &str| {
        let mut date = Command::new("date");
        let output = date.env_remove("TZ").args(["-d", from_now, "+%-M %-H * * *"]).output().expect("a time");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let cron = of("2 minutes");
    if cron.starts_with("0 ") || cron.starts_with("30 ") { of("3 minutes") } else { cron }
}

/// Number of answers to what was scheduled. A message may complete again, with its stop reason.
fn fired(reader: &Reader) -> usize {
    let completed = reader.shown.iter().filter(|frame| frame.event == "message_complete");
    let answers = completed.filter(|frame| {
        let data = frame.data.to_string();
        data.contains("HELIOTROPE") && !data.contains("tool_use")
    });
    answers.map(|frame| frame.str("message_id")).collect::<HashSet<_>>().len()
}

/// Number of messages that were sent to the agent.
fn prompts(reader: &Reader) -> usize {
    reader.shown.iter().filter(|frame| frame.event == "user_message").count()
}

/// Whether the server restored the session without being asked for it.
fn is_restored(server: &Server, id: &str) -> bool {
    let log = server.log();
    log.lines().any(|line| line.contains("restored a session for a wake-up") && line.contains(id))
}

async fn patiently(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + MINUTES;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come to hold within {MINUTES:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Reads up to the end of the turn in which what was scheduled has come this often.
async fn until_fired(reader: &mut Reader, times: usize) {
    reader.patience = MINUTES;
    while reader.next().await.event != "result" || fired(reader) < times {}
    assert_eq!(fired(reader), times, "{:?}", reader.shown);
}
