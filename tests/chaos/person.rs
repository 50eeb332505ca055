//! A person who talks to one session after another, and reconnects and repeats as a good client does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    check,
    follower::Follower,
    ledger::{Answer, Choice, Sent},
    support::{Frame, Random, Script, bash, tool},
    world::{PATIENCE, World, pause},
};

/// The file to which tools append a line each.
pub(crate) const RUNS: &str = "runs";

/// The question of `AskUserQuestion`.
const QUESTION: &str = "Which colour?";

/// A person and their current session.
pub(crate) struct Person {
    world: Arc<World>,
    random: Random,
    number: u64,
    sent: u64,
    follower: Follower,
    answers: JoinSet<()>,
    watchers: JoinSet<()>,
}

impl Person {
    pub(crate) async fn new(world: Arc<World>, number: u64) -> Self {
        let mut random = world.random(number * 1000);
        let id = create(&world, &mut random).await;
        let follower = Follower::new(&world, &id, number * 1000 + 1);
        let (answers, watchers) = (JoinSet::new(), JoinSet::new());
        let mut person = Self { world, random, number, sent: 0, follower, answers, watchers };
        person.watch();
        person
    }

    /// Talks until the campaign is over.
    pub(crate) async fn live(mut self) {
        while !self.world.is_over() {
            match self.random.below(12) {
                0..=2 => self.talk().await,
                3..=5 => self.use_a_tool().await,
                6 => self.be_asked().await,
                7 => self.interrupt().await,
                8 => self.say_two_at_once().await,
                9 => self.give_up_a_message().await,
                10 => pause(&mut self.random, Duration::from_secs(6)).await,
                _ => self.start_over().await,
            }
        }
        self.conclude().await;
    }

    /// Asks the model what it remembers, and checks the whole session.
    async fn conclude(&mut self) {
        loop {
            let last = self.say(&Script::text("ECHO_HISTORY")).await;
            self.wait_for(&last).await;
            let result = self.follower.story.result_of(&last);
            // A fault may end this turn as well.
            if result.is_none_or(|result| result["subtype"] == "success") {
                break;
            }
        }
        while self.answers.join_next().await.is_some() {}
        check::session(&self.world, &self.follower.id).await;
    }

    async fn talk(&mut self) {
        let (words, pace) = (20 + self.random.below(60) as usize, self.random.below(20));
        let marker = self.say(&Script::slow(words, pace)).await;
        self.wait_for(&marker).await;
    }

    /// Has the agent ask for a command that appends the message's marker to a file.
    async fn use_a_tool(&mut self) {
        let name = format!("{}-{}", self.number, self.sent);
        let call = bash(&format!("toolu_{name}"), &format!("echo {name} plain >> {RUNS}"));
        let marker = self.say(&Script::new(call).then("It is done.")).await;
        self.wait_for(&marker).await;
    }

    async fn be_asked(&mut self) {
        let questions = json!({"questions": [{"question": QUESTION, "header": "Colour", "multiSelect": false,
            "options": [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]}]});
        let call = tool(&format!("toolu_{}-{}", self.number, self.sent), "AskUserQuestion", &questions);
        let marker = self.say(&Script::new(call).then("Thank you.")).await;
        self.wait_for(&marker).await;
    }

    async fn interrupt(&mut self) {
        let marker = self.say(&Script::slow(400, 20)).await;
        pause(&mut self.random, Duration::from_secs(2)).await;
        let interrupt = json!({"type": "interrupt"});
        until_answered(&self.world, &mut self.random, &self.follower.id, &interrupt, None).await;
        self.world.ledger.count("interrupts");
        self.wait_for(&marker).await;
    }

    /// The second message waits for the end of the first one's turn.
    async fn say_two_at_once(&mut self) {
        let first = self.say(&Script::slow(60, 10)).await;
        let second = self.say(&Script::slow(10, 10)).await;
        self.wait_for(&first).await;
        self.wait_for(&second).await;
    }

    /// Sends a message once, and does not repeat it if it is refused.
    async fn give_up_a_message(&mut self) {
        let (marker, body) = self.message(&Script::slow(10, 10));
        let path = format!("/sessions/{}/input", self.follower.id);
        let hosts = &self.world.hosts;
        let sent = match hosts.status(&mut self.random, Method::POST, &path, &[], body.to_string()).await {
            Some(StatusCode::NO_CONTENT) => Sent::Accepted,
            Some(StatusCode::SERVICE_UNAVAILABLE) => Sent::Refused,
            None => Sent::Unknown,
            Some(status) => return self.world.ledger.violation(format!("a message gave {status}")),
        };
        self.record(&marker, sent);
        if sent == Sent::Accepted {
            self.wait_for(&marker).await;
        }
    }

    /// Deletes the session, sometimes in the middle of something, and creates another.
    async fn start_over(&mut self) {
        match self.random.below(3) {
            0 => drop(self.say(&Script::slow(100, 20)).await),
            _ => self.conclude().await,
        }
        let path = format!("/sessions/{}", self.follower.id);
        let id = self.follower.id.clone();
        self.world.ledger.session(&id, |session| session.is_deleted = true);
        loop {
            let hosts = &self.world.hosts;
            match hosts.status(&mut self.random, Method::DELETE, &path, &[], String::new()).await {
                Some(StatusCode::NO_CONTENT) => break,
                Some(StatusCode::SERVICE_UNAVAILABLE) | None => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Some(status) => self.world.ledger.violation(format!("DELETE gave {status}")),
            }
        }
        while self.follower.next().await.is_some() {}
        self.answers.shutdown().await;
        self.world.ledger.count("sessions deleted");
        let id = create(&self.world, &mut self.random).await;
        self.follower = Follower::new(&self.world, &id, self.random.below(u64::MAX));
        self.watch();
    }

    /// Starts the watchers of a new session, in place of the former one's.
    fn watch(&mut self) {
        self.watchers = JoinSet::new();
        for _ in 0..self.world.watchers {
            let actor = self.random.below(u64::MAX);
            let mut random = self.world.random(actor);
            let mut watcher = Follower::new(&self.world, &self.follower.id, actor);
            self.watchers.spawn(async move {
                while watcher.next().await.is_some() {
                    match random.below(300) {
                        0 => watcher.disconnect(),
                        1 => watcher.go_back(),
                        _ => {}
                    }
                }
            });
        }
    }

    /// Sends a message until it is accepted, and returns its marker.
    async fn say(&mut self, script: &Script) -> String {
        let (marker, body) = self.message(script);
        let key = Some(marker.as_str());
        until_answered(&self.world, &mut self.random, &self.follower.id, &body, key).await;
        self.record(&marker, Sent::Accepted);
        self.world.ledger.count("messages accepted");
        marker
    }

    fn message(&mut self, script: &Script) -> (String, Value) {
        let marker = format!("[{}-{}]", self.number, self.sent);
        self.sent += 1;
        let body = json!({"type": "user_message", "content": format!("{marker} {script}")});
        (marker, body)
    }

    fn record(&self, marker: &str, sent: Sent) {
        let id = &self.follower.id;
        self.world.ledger.session(id, |session| session.messages.insert(marker.to_owned(), sent));
    }

    /// Reads to the end of a message's turn, and answers the prompts on the way.
    async fn wait_for(&mut self, marker: &str) {
        while self.follower.story.result_of(marker).is_none() {
            match tokio::time::timeout(PATIENCE, self.follower.next()).await {
                Ok(Some(frame)) => self.see(&frame),
                Ok(None) => return self.violation(&format!("the stream ended before the end of {marker}")),
                Err(_) => {
                    return self
                        .violation(&format!("nothing came for {PATIENCE:?}, before the end of {marker}"));
                }
            }
        }
    }

    fn see(&mut self, frame: &Frame) {
        let choices = match frame.event.as_str() {
            "permission_request" => &[Choice::Allow, Choice::AllowEdited, Choice::Deny][..],
            "ask_user_question" => &[Choice::Allow][..],
            _ => return,
        };
        let people = 1 + u64::from(self.random.below(3) == 0);
        for _ in 0..people {
            let choice = choices[self.random.below(choices.len() as u64) as usize];
            let random = self.world.random(self.random.below(u64::MAX));
            self.answers.spawn(answer(
                Arc::clone(&self.world),
                random,
                self.follower.id.clone(),
                frame.clone(),
                choice,
            ));
        }
    }

    fn violation(&self, what: &str) {
        self.world.ledger.violation(format!("{}: {what}", self.follower.id));
    }
}

/// Creates a session. A server that dies meanwhile may leave one that nobody knows.
async fn create(world: &World, random: &mut Random) -> String {
    loop {
        let answer = world.hosts.send(random, Method::POST, "/sessions", &[], "{}".to_owned()).await;
        match answer.map(http::Response::into_parts) {
            Some((head, body)) if head.status == StatusCode::OK => {
                if let Ok(body) = body.collect().await {
                    let body: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
                    let id = body["session_id"].as_str().expect("an id").to_owned();
                    world.ledger.session(&id, |_| ());
                    world.ledger.count("sessions created");
                    return id;
                }
            }
            Some((head, _)) if head.status != StatusCode::SERVICE_UNAVAILABLE => {
                world.ledger.violation(format!("POST /sessions gave {}", head.status));
            }
            Some(_) | None => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Posts an input until a host accepts it.
async fn until_answered(world: &World, random: &mut Random, id: &str, body: &Value, key: Option<&str>) {
    let path = format!("/sessions/{id}/input");
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    let mut refused_at = None;
    let posted = async {
        loop {
            let answer = world.hosts.send(random, Method::POST, &path, &headers, body.to_string()).await;
            match answer.as_ref().map(http::Response::status) {
                Some(StatusCode::NO_CONTENT) => {
                    return refused_at.into_iter().for_each(|at| world.ledger.refused_since(at));
                }
                Some(StatusCode::SERVICE_UNAVAILABLE) => {
                    refused_at.get_or_insert_with(Instant::now);
                    let why = answer.expect("it came").into_body().collect().await;
                    let why: Value = why
                        .ok()
                        .and_then(|why| serde_json::from_slice(&why.to_bytes()).ok())
                        .unwrap_or_default();
                    world.ledger.count(&format!(
                        "inputs answered 503: {}",
                        why["detail"].as_str().unwrap_or_default()
                    ));
                }
                None => world.ledger.count("inputs without an answer"),
                Some(status) => {
                    world.ledger.violation(format!("{id}: {body} gave {status}"));
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, posted).await.is_err() {
        world.ledger.violation(format!("{id}: no host accepted {body} for {PATIENCE:?}"));
    }
}

/// Answers a prompt after a while, and repeats the answer until it is known whether it won.
async fn answer(world: Arc<World>, mut random: Random, id: String, prompt: Frame, choice: Choice) {
    pause(&mut random, Duration::from_secs(6)).await;
    let correlation_id = prompt.str("correlation_id");
    let path = format!("/sessions/{id}/input");
    let body = body_of_answer(&prompt, choice).to_string();
    let mut answer = Answer { choice, accepted: false, uncertain: false };
    loop {
        match world.hosts.status(&mut random, Method::POST, &path, &[], body.clone()).await {
            Some(StatusCode::NO_CONTENT) => {
                answer.accepted = true;
                world.ledger.count("answers accepted");
                break;
            }
            Some(StatusCode::CONFLICT) => {
                world.ledger.count("answers that came second");
                break;
            }
            Some(StatusCode::SERVICE_UNAVAILABLE) => {}
            None => answer.uncertain = true,
            Some(status) => {
                world.ledger.violation(format!("{id}: an answer gave {status}"));
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.ledger.session(&id, |session| {
        session.answers.entry(correlation_id.to_owned()).or_default().push(answer);
    });
}

fn body_of_answer(prompt: &Frame, choice: Choice) -> Value {
    let correlation_id = prompt.str("correlation_id");
    if prompt.event == "ask_user_question" {
        return json!({"type": "question_response", "correlation_id": correlation_id,
            "answers": {QUESTION: "Blue"}});
    }
    let mut body =
        json!({"type": "permission_response", "correlation_id": correlation_id, "behavior": "allow"});
    match choice {
        Choice::Allow => {}
        Choice::AllowEdited => {
            let command = prompt["input"]["command"].as_str().expect("a command").replace("plain", "edited");
            body["updated_input"] = json!({"command": command});
        }
        Choice::Deny => body["behavior"] = "deny".into(),
    }
    body
}
