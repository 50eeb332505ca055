//! Copies the beginning of a session's events for another session.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::poll_fn,
};

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    agent::Fork,
    error_text::with_sources,
    layers::resume::{Batch, Cursor, Event, EventParser, EventStream, ParsedEvent, Tail, TailError},
    proto::{AskKind, Note, OpenPrompt},
    service::error::SessionError,
};

/// Number of events that are appended at once.
const BATCH: usize = 256;

/// The beginning of a session: what its events say about the moment when its last turn ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beginning {
    /// The number of the last turn's `result`.
    last: u64,
    /// The messages whose turns have ended, in order.
    pub(crate) messages: Vec<String>,
    message_id: Option<String>,
    prompts: BTreeMap<String, AskKind>,
    tasks: BTreeSet<String>,
    mcp: BTreeMap<String, String>,
    cost: f64,
}

/// A session, and how much of it another one begins with.
pub(crate) struct Source<S> {
    pub(crate) session_id: String,
    pub(crate) stream: S,
    pub(crate) beginning: Beginning,
}

impl Beginning {
    pub(crate) fn fork(&self, session_id: &str) -> Fork {
        let mut fork = Fork::new(session_id);
        fork.message_uuid = self.messages.last().cloned();
        fork.message_id.clone_from(&self.message_id);
        fork
    }

    /// The state at its end, from which the new session goes on.
    pub(crate) fn note(&self) -> Note {
        let mut note = Note { session_cost_usd: self.cost, ..Note::default() };
        note.pending = self
            .prompts
            .iter()
            .map(|(id, kind)| OpenPrompt {
                kind: *kind,
                correlation_id: id.clone(),
                json: RawValue::NULL.to_owned(),
            })
            .collect();
        let memo = note.memo.get_or_insert_default();
        (memo.tasks, memo.mcp) = (self.tasks.clone(), self.mcp.clone());
        note
    }
}

/// What is known while the events are read.
#[derive(Debug, Default)]
struct Survey {
    so_far: Beginning,
    /// The messages whose turns have not ended, in order.
    waiting: VecDeque<String>,
    /// The beginning up to the newest `result`.
    ended: Option<Beginning>,
}

impl Survey {
    /// Takes the next event. Returns the uuids of the messages whose turn it ends.
    fn take(&mut self, seq: u64, event: &ParsedEvent) -> Vec<String> {
        let state = &mut self.so_far;
        match event.name.as_str() {
            "user_message" => {
                self.waiting.extend(read(event).map(|MessageUuid { message_uuid }| message_uuid));
            }
            "user_message_cancelled" => {
                if let Some(MessageUuid { message_uuid }) = read(event) {
                    self.waiting.retain(|waiting| *waiting != message_uuid);
                }
            }
            "message_complete" => {
                if let Some(MessageComplete { message_id, parent_tool_use_id: None, abandoned: false }) =
                    read(event)
                {
                    state.message_id = Some(message_id);
                }
            }
            "prompt_resolved" => {
                if let Some(Prompt { correlation_id }) = read(event) {
                    state.prompts.remove(&correlation_id);
                }
            }
            "task_update" => {
                if let Some(Task { task_id, status }) = read(event) {
                    match &*status {
                        "completed" | "failed" | "stopped" | "killed" => drop(state.tasks.remove(&task_id)),
                        _ => drop(state.tasks.insert(task_id)),
                    }
                }
            }
            "mcp_status_change" => {
                if let Some(Mcp { server_name, status }) = read(event) {
                    state.mcp.insert(server_name, status);
                }
            }
            "result" => return self.end_turn(seq, event),
            name => {
                if let (Some(kind), Some(Prompt { correlation_id })) = (AskKind::of_event(name), read(event))
                {
                    state.prompts.insert(correlation_id, kind);
                }
            }
        }
        Vec::new()
    }

    fn end_turn(&mut self, seq: u64, event: &ParsedEvent) -> Vec<String> {
        let TurnResult { user_message_uuids, origin, session_cost_usd } = read(event).unwrap_or_default();
        let mut ended: Vec<String> = Vec::new();
        if !user_message_uuids.is_empty() {
            self.waiting.retain(|waiting| {
                let answered = user_message_uuids.contains(waiting);
                ended.extend(answered.then(|| waiting.clone()));
                !answered
            });
        } else if origin.is_none() {
            // One turn runs at a time, in the order of the messages.
            ended.extend(self.waiting.pop_front());
        }
        let state = &mut self.so_far;
        state.last = seq;
        state.messages.extend(ended.iter().cloned());
        state.cost = session_cost_usd.and_then(|cost| cost.get().parse().ok()).unwrap_or(state.cost);
        self.ended = Some(state.clone());
        ended
    }
}

/// Reads how a session begins, up to and with the turn of the message `after`, or else up to the last turn that has
/// ended.
pub(crate) async fn beginning(
    stream: &impl EventStream,
    after: Option<&str>,
) -> Result<Beginning, SessionError> {
    let mut survey = Survey::default();
    let mut events = Held::of(stream).await?;
    while let Some((seq, event)) = events.next().await? {
        let ended = survey.take(seq, &event);
        if after.is_some_and(|after| ended.iter().any(|uuid| uuid == after)) {
            return Ok(survey.so_far);
        }
    }
    match after {
        None => survey
            .ended
            .ok_or_else(|| SessionError::Conflict("the session to fork has no finished turn".into())),
        Some(after) if survey.waiting.iter().any(|uuid| uuid == after) => {
            Err(SessionError::Conflict("the turn of this message has not ended".into()))
        }
        Some(_) => Err(SessionError::unprocessable(
            "fork_of.after_message_uuid must be a message of that session that has run",
        )),
    }
}

/// Copies the beginning into the empty stream of the session with this id. Messages that wait for a turn after it are
/// left out.
pub(crate) async fn copy<S: EventStream>(
    source: &Source<S>,
    to: &S,
    session_id: &str,
) -> Result<(), SessionError> {
    let Source { stream, beginning, .. } = source;
    let ready =
        format!(r#"{{"session_id":"{session_id}","protocol_version":"{}"}}"#, crate::proto::PROTOCOL_VERSION);
    let mut batch = vec![Event::new("session_ready", ready)];
    let messages: BTreeSet<&str> = beginning.messages.iter().map(String::as_str).collect();
    let mut events = Held::of(stream).await?;
    while let Some((seq, event)) = events.next().await? {
        if seq > beginning.last {
            break;
        }
        let is_copied = match event.name.as_str() {
            "session_ready" => false,
            "user_message" | "user_message_cancelled" => {
                read(&event).is_some_and(|MessageUuid { message_uuid }| messages.contains(&*message_uuid))
            }
            _ => true,
        };
        if is_copied {
            let data = match event.name.as_str() {
                "result" => of_session(&event, session_id),
                _ => event.data,
            };
            batch.push(Event::new(event.name, data));
            if batch.len() >= BATCH {
                append(to, std::mem::take(&mut batch)).await?;
            }
        }
    }
    append(to, batch).await
}

async fn append(to: &impl EventStream, events: Vec<Event>) -> Result<(), SessionError> {
    to.append(Batch::new(events)).await.map(drop).map_err(|error| {
        tracing::error!(error = with_sources(&error), "failed to copy the events of a session");
        SessionError::unavailable("the event log cannot be written now")
    })
}

/// The events that a stream holds at one moment.
struct Held<T> {
    tail: T,
    last: u64,
    read: u64,
    parser: EventParser,
    parsed: VecDeque<ParsedEvent>,
}

impl<T: Tail> Held<T> {
    async fn of<S: EventStream<Tail = T>>(stream: &S) -> Result<Self, SessionError> {
        let tail = stream.tail(Cursor::Oldest).await?;
        let (last, read) = (tail.attached().bounds.last, tail.attached().after);
        Ok(Self { tail, last, read, parser: EventParser::new(usize::MAX), parsed: VecDeque::new() })
    }

    /// The next event with its number; `None` after the last one.
    async fn next(&mut self) -> Result<Option<(u64, ParsedEvent)>, SessionError> {
        loop {
            if let Some(event) = self.parsed.pop_front() {
                return Ok(Some((
                    event.id.as_deref().and_then(|id| id.parse().ok()).unwrap_or_default(),
                    event,
                )));
            }
            if self.read >= self.last {
                return Ok(None);
            }
            let chunk = match poll_fn(|cx| self.tail.poll_chunk(cx)).await {
                Some(chunk) => chunk.map_err(TailError::Evicted)?,
                None => {
                    return Err(SessionError::unavailable("the session to fork has left memory; try again"));
                }
            };
            self.read = chunk.last_seq;
            let mut events = Vec::new();
            // The frames are the server's own, and the parser has no limit.
            let _ = self.parser.push(&chunk.bytes, &mut events);
            self.parsed.extend(events);
        }
    }
}

/// The event's data with another session's id.
fn of_session(event: &ParsedEvent, session_id: &str) -> Bytes {
    let members: Option<Vec<(String, Box<RawValue>)>> = read(event).map(|Ordered(members)| members);
    let Some(members) = members else { return Bytes::copy_from_slice(&event.data) };
    let id = to_raw_value(session_id).expect("a string is always JSON");
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| {
            let value = if name == "session_id" { &id } else { value };
            format!("{}:{value}", to_raw_value(name).expect("a string is always JSON"))
        })
        .collect();
    format!("{{{}}}", members.join(",")).into()
}

fn read<T: DeserializeOwned>(event: &ParsedEvent) -> Option<T> {
    serde_json::from_slice(&event.data).ok()
}

#[derive(Deserialize)]
struct MessageUuid {
    message_uuid: String,
}

#[derive(Deserialize)]
struct MessageComplete {
    message_id: String,
    parent_tool_use_id: Option<String>,
    #[serde(default)]
    abandoned: bool,
}

#[derive(Deserialize)]
struct Prompt {
    correlation_id: String,
}

#[derive(Deserialize)]
struct Task {
    task_id: String,
    status: String,
}

#[derive(Deserialize)]
struct Mcp {
    server_name: String,
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TurnResult {
    user_message_uuids: Vec<String>,
    origin: Option<Box<RawValue>>,
    session_cost_usd: Option<Box<RawValue>>,
}

/// The members of an object, in their order.
struct Ordered(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> serde::de::Visitor<'de> for Collect {
            type Value = Ordered;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
