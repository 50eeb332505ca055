//! What has to hold at the end of a campaign.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use http::StatusCode;

use crate::{
    follower::Follower,
    ledger::{Choice, Sent, Session},
    person::RUNS,
    story::Story,
    support::{eventually, processes},
    world::{PATIENCE, World},
};

/// Checks a session whose newest answer is the model's memory of the conversation.
pub(crate) async fn session(world: &Arc<World>, id: &str) {
    let session = world.ledger.session(id, |session| session.clone());
    let before = world.ledger.violations();
    let story = replay(world, id, &session).await;
    Check { world, id, session: &session, story: &story }.all();
    if world.ledger.violations() > before {
        fs::write(world.file(&format!("{id}.txt")), world.ledger.history(id)).expect("a file");
    }
}

/// Checks what agents did, and that deleted sessions are gone from all hosts.
pub(crate) async fn tools_and_deletions(world: &World) {
    let runs = runs(&world.workspace);
    for id in world.ledger.ids() {
        let session = world.ledger.session(&id, |session| session.clone());
        if session.is_deleted {
            is_gone(world, &id).await;
        }
        tools_of(world, &session, &runs);
    }
}

/// Checks that no process of the servers is left, and no agent's config directory.
pub(crate) async fn nothing_is_left(world: &World, folder: &Path) {
    let folder = folder.to_str().expect("a name in UTF-8");
    eventually("the end of all processes", async || {
        processes::matching(|_| true).iter().all(|process| !environment(process.pid).contains(folder))
    })
    .await;
    world.ledger.count("looks for processes that are left");
}

fn environment(pid: i32) -> String {
    // A process that has ended meanwhile has none.
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()).into_owned()
}

async fn is_gone(world: &World, id: &str) {
    for host in world.hosts.all() {
        let status = host.get(&format!("/sessions/{id}")).await.status;
        if status != StatusCode::NOT_FOUND {
            world.ledger.violation(format!("{id}: was deleted, and gives {status}"));
        }
    }
}

/// Reads the whole stream again and compares it with what readers received.
async fn replay(world: &Arc<World>, id: &str, session: &Session) -> Story {
    let last = session.frames.keys().next_back().copied().unwrap_or_default();
    let mut follower = Follower::new(world, id, 3);
    while follower.story.last < last {
        let next = tokio::time::timeout(PATIENCE, follower.next()).await;
        if !matches!(next, Ok(Some(_))) {
            world.ledger.violation(format!("{id}: the replay ends before {last}"));
            break;
        }
    }
    for (number, (_, frame)) in &session.frames {
        if follower.was_compacted(*number) && frame.event != "message_delta" {
            world.ledger.violation(format!("{id}: {number} was compacted, a {}", frame.event));
        }
    }
    world.ledger.count("streams replayed and compared");
    follower.story
}

struct Check<'a> {
    world: &'a World,
    id: &'a str,
    session: &'a Session,
    story: &'a Story,
}

impl Check<'_> {
    fn all(&self) {
        self.messages();
        self.turns();
        self.prompts();
        self.memory();
    }

    fn expect(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.world.ledger.violation(format!("{}: {}", self.id, what()));
        }
    }

    /// Each accepted message is in the stream once, a refused one is not.
    fn messages(&self) {
        for (marker, sent) in &self.session.messages {
            let times = self.story.messages.iter().filter(|message| *message == marker).count();
            let right = match sent {
                Sent::Accepted => times == 1,
                Sent::Refused => times == 0,
                Sent::Unknown => times <= 1,
            };
            self.expect(right, || format!("the message {marker} ({sent:?}) is there {times} times"));
        }
        for message in &self.story.messages {
            let known = self.session.messages.contains_key(message);
            self.expect(known, || format!("nobody sent the message {message}"));
        }
    }

    fn turns(&self) {
        let (messages, results) = (self.story.messages.len(), self.story.results.len());
        self.expect(messages == results, || format!("{messages} messages, {results} results"));
        for result in &self.story.results {
            let reason = result["terminal_reason"].as_str().unwrap_or("none");
            self.world.ledger.count(&format!("turns that ended: {} ({reason})", result["subtype"]));
        }
        for code in &self.story.errors {
            self.world.ledger.count(&format!("events: error {code}"));
        }
    }

    fn prompts(&self) {
        for (id, outcomes) in &self.story.prompts {
            self.expect(outcomes.len() == 1, || format!("the prompt {id} has the outcomes {outcomes:?}"));
            let answers = self.session.answers.get(id).map_or(&[][..], Vec::as_slice);
            let accepted = answers.iter().filter(|answer| answer.accepted).count();
            self.expect(accepted <= 1, || format!("{accepted} answers to {id} were accepted"));
            let outcome =
                outcomes.first().map_or("none", |outcome| outcome["outcome"].as_str().unwrap_or("none"));
            if accepted == 1 {
                self.expect(outcome == "answered", || format!("{id} was answered, and is {outcome}"));
            }
            self.world.ledger.count(&format!("prompts that ended: {outcome}"));
        }
    }

    /// The model knows the message of each turn that succeeded, once, unless it was told that it may not.
    fn memory(&self) {
        let memory = self.story.newest_message.to_string();
        for (turn, (marker, result)) in self.story.messages.iter().zip(&self.story.results).enumerate() {
            let times = memory.matches(marker.as_str()).count();
            let succeeded = result["subtype"] == "success" && result["is_error"] != true;
            let may_be_unknown = !succeeded || self.story.may_be_forgotten(turn);
            self.expect(times == 1 || (times == 0 && may_be_unknown), || {
                let end = (&result["subtype"], &result["terminal_reason"]);
                format!("the model knows {marker} {times} times, whose turn ended in {end:?}")
            });
        }
        for (marker, sent) in &self.session.messages {
            let known = memory.contains(marker.as_str());
            self.expect(*sent != Sent::Refused || !known, || format!("the model knows the refused {marker}"));
        }
        self.world.ledger.count("conversations compared with the model's memory");
    }
}

/// The lines that tools wrote, by the number of their messages.
type Runs = BTreeMap<String, Vec<String>>;

fn runs(workspace: &Path) -> Runs {
    let mut runs = Runs::new();
    for line in fs::read_to_string(workspace.join(RUNS)).unwrap_or_default().lines() {
        let (name, kind) = line.split_once(' ').expect("two words");
        runs.entry(name.to_owned()).or_default().push(kind.to_owned());
    }
    runs
}

/// A tool ran at most once, as its prompt was answered, and a tool that was denied did not run.
fn tools_of(world: &World, session: &Session, runs: &Runs) {
    let mut story = Story::default();
    session.frames.values().for_each(|(_, frame)| story.add(frame));
    for (id, outcomes) in &story.prompts {
        let Some(name) = id.strip_prefix("toolu_") else { continue };
        let kinds = runs.get(name).map_or(&[][..], Vec::as_slice);
        let wins = |choice: Choice| {
            let answers = session.answers.get(id).map_or(&[][..], Vec::as_slice);
            let won = answers.iter().any(|answer| answer.accepted);
            answers
                .iter()
                .any(|answer| answer.choice == choice && if won { answer.accepted } else { answer.uncertain })
        };
        let allowed = outcomes.iter().any(|outcome| outcome["behavior"] == "allow");
        let right = match kinds {
            [] => !(allowed && story.tools.get(id) == Some(&false)),
            [kind] => allowed && wins(if kind == "edited" { Choice::AllowEdited } else { Choice::Allow }),
            _ => false,
        };
        if !right {
            world.ledger.violation(format!(
                "{id} ran {kinds:?}, was answered {:?}, {outcomes:?}",
                session.answers.get(id)
            ));
        }
        world.ledger.count(if kinds.is_empty() { "tools that did not run" } else { "tools that ran once" });
    }
}
