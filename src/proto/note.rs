//! The note: a session's state between two events, stored in its event log.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Ask, AskKind, DayCost, IdempotencyKey, Wakeup,
    json::{self, Object},
};

/// The status of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// A turn runs.
    Running,
    /// A prompt is open.
    RequiresAction,
    /// It has ended.
    Closed,
    /// No turn runs and no prompt is open.
    #[default]
    #[serde(other)]
    Idle,
}

impl Status {
    /// The status on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::RequiresAction => "requires_action",
            Self::Closed => "closed",
        }
    }
}

/// A session's state between two events: its part of `session_state` and of `GET /sessions/{id}`, and what a
/// restored session needs ([`Session::restore`](super::Session::restore)).
///
/// ```
/// use agent_webkit::proto::{Note, Status};
///
/// let note = Note::decode(r#""status":"running","pending":[],"session_cost_usd":0.25"#);
/// assert_eq!((note.status, note.session_cost_usd), (Status::Running, 0.25));
/// assert_eq!(Note::decode(&note.encode()).status, Status::Running);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Note {
    /// The session's status.
    pub status: Status,
    /// The open prompts, in the order in which they were asked.
    pub pending: Vec<OpenPrompt>,
    /// The cost of the session so far, in US dollars.
    pub session_cost_usd: f64,
    /// The part that no client sees. `None` for a session that ends with its process.
    pub memo: Option<Memo>,
}

/// A prompt that waits for an answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenPrompt {
    /// The kind of the prompt.
    pub kind: AskKind,
    /// Its id on the wire.
    pub correlation_id: String,
    /// The members of its event, with the event's name in `type`.
    pub json: Box<RawValue>,
}

/// The part of a [`Note`] that only a restored session needs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Memo {
    /// The `message_uuid`s of the messages that wait for their turn, in order.
    pub queued: Vec<String>,
    /// Number of messages since the oldest of them, those included that were withdrawn.
    pub queued_span: usize,
    /// Those of them whose text is for the model alone.
    pub verbatim: BTreeSet<String>,
    /// The open prompts that another agent of the session can ask again.
    pub resumable: BTreeSet<String>,
    /// The permission updates that were granted for the session's whole life.
    pub permissions: Vec<Box<RawValue>>,
    /// The mode that the end of plan mode returns to, if it is known.
    pub mode_before_plan: Option<String>,
    /// The effort that was chosen in the session.
    pub effort: Option<String>,
    /// The wake-ups that its agents have scheduled.
    pub wakeups: Vec<Wakeup>,
    /// The idempotency keys of accepted inputs.
    pub keys: Vec<IdempotencyKey>,
    /// The `message_uuid`s of the user's messages among these inputs, by key.
    pub sent: BTreeMap<String, String>,
    /// The uuids of all messages, abridged, in hex.
    pub message_ids: String,
    /// The session's own budget, in US dollars.
    pub budget_usd: Option<f64>,
    /// The cost of the finished turns on the current day.
    pub day_cost: DayCost,
    /// The cost of the running turn, as far as it is known.
    pub running_usd: f64,
    /// What the session had cost when it was made, as a fork.
    pub inherited_usd: f64,
    /// The background tasks that run.
    pub tasks: BTreeSet<String>,
    /// The MCP servers and their statuses.
    pub mcp: BTreeMap<String, String>,
}

impl Note {
    /// Encodes the note for the event log. The first line holds the members that clients see, without the
    /// braces of the object; the second line, if there is one, is the memo.
    #[must_use]
    pub fn encode(&self) -> String {
        let state = self.members(Object::new()).finish();
        let state = String::from_utf8(state).expect("made of strings");
        let members = &state[1..state.len() - 1];
        match &self.memo {
            Some(memo) => format!("{members}\n{}", memo.encode()),
            None => members.to_owned(),
        }
    }

    /// Decodes what [`Note::encode`] wrote. A missing or malformed part gets its default.
    #[must_use]
    pub fn decode(stored: &str) -> Self {
        let (members, memo) = match stored.split_once('\n') {
            Some((members, memo)) => (members, Some(memo)),
            None => (stored, None),
        };
        let state = format!("{{{members}}}");
        let StoredState { status, pending, session_cost_usd } =
            serde_json::from_str(&state).unwrap_or_default();
        Self {
            status,
            pending: pending.into_iter().filter_map(OpenPrompt::decode).collect(),
            // serde_json parses a float to within one unit of its last digit; the standard library parses it
            // exactly.
            session_cost_usd: session_cost_usd.and_then(|cost| cost.get().parse().ok()).unwrap_or_default(),
            memo: memo.map(Memo::decode),
        }
    }

    /// Encodes the data of a `session_state` event: the note, and which events the event log holds
    /// (`docs/protocol.md`, Events).
    #[must_use]
    pub fn session_state(&self, oldest_seq: u64, as_of_seq: u64) -> Vec<u8> {
        self.members(Object::new())
            .json("oldest_seq", oldest_seq.to_string().as_bytes())
            .json("as_of_seq", as_of_seq.to_string().as_bytes())
            .finish()
    }

    /// What the session does once it is restored: a turn that waits for prompts which can be asked again goes on,
    /// any other one ends.
    #[must_use]
    pub fn status_once_restored(&self) -> Status {
        let resumable = self.memo.as_ref().is_some_and(|memo| !memo.resumable.is_empty());
        if resumable { Status::RequiresAction } else { Status::Idle }
    }

    fn members(&self, object: Object) -> Object {
        let pending = json::array(self.pending.iter().map(|prompt| prompt.json.get()));
        object
            .string("status", self.status.as_str())
            .json("pending", &pending)
            .number("session_cost_usd", self.session_cost_usd)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredState<'a> {
    status: Status,
    pending: Vec<Box<RawValue>>,
    #[serde(borrow)]
    session_cost_usd: Option<&'a RawValue>,
}

impl OpenPrompt {
    fn decode(json: Box<RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow, rename = "type")]
            name: Cow<'a, str>,
            correlation_id: String,
        }
        let Members { name, correlation_id } = serde_json::from_str(json.get()).ok()?;
        Some(Self { kind: AskKind::of_event(&name)?, correlation_id, json })
    }
}

impl OpenPrompt {
    /// The prompt as it was asked; for those that another agent can ask again.
    pub(super) fn to_ask(&self) -> Option<Ask> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Asked {
            tool_name: String,
            input: Option<Box<RawValue>>,
            questions: Option<Box<RawValue>>,
            context: Option<Box<RawValue>>,
        }
        let Asked { tool_name, input, questions, context } = serde_json::from_str(self.json.get()).ok()?;
        Some(Ask {
            kind: self.kind,
            correlation_id: self.correlation_id.clone(),
            name: tool_name,
            input: input.or(questions)?,
            context: context.map(|context| json::entries(&context)).unwrap_or_default(),
            resumable: true,
        })
    }
}

impl Serialize for OpenPrompt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

/// A [`Memo`] in JSON, with the digests in hex.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredMemo<'a> {
    queued: Cow<'a, [String]>,
    queued_span: usize,
    #[serde(skip_serializing_if = "is_empty")]
    verbatim: Cow<'a, BTreeSet<String>>,
    #[serde(skip_serializing_if = "is_empty")]
    resumable: Cow<'a, BTreeSet<String>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    permissions: Cow<'a, [Box<RawValue>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode_before_plan: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    wakeups: Cow<'a, [Wakeup]>,
    keys: Vec<(Cow<'a, str>, String)>,
    #[serde(skip_serializing_if = "no_message")]
    sent: Cow<'a, BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_usd: Option<f64>,
    day: (u64, f64),
    running_usd: f64,
    inherited_usd: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    message_ids: Cow<'a, str>,
    tasks: Cow<'a, BTreeSet<String>>,
    mcp: Cow<'a, BTreeMap<String, String>>,
}

fn is_empty(names: &BTreeSet<String>) -> bool {
    names.is_empty()
}

fn no_message(sent: &BTreeMap<String, String>) -> bool {
    sent.is_empty()
}

impl Memo {
    fn encode(&self) -> String {
        let keys = self.keys.iter().map(|key| (Cow::from(&key.key), hex::encode(key.digest)));
        let stored = StoredMemo {
            queued: Cow::Borrowed(&self.queued),
            queued_span: self.queued_span,
            verbatim: Cow::Borrowed(&self.verbatim),
            resumable: Cow::Borrowed(&self.resumable),
            permissions: Cow::Borrowed(&self.permissions),
            mode_before_plan: self.mode_before_plan.as_deref().map(Cow::Borrowed),
            effort: self.effort.as_deref().map(Cow::Borrowed),
            wakeups: Cow::Borrowed(&self.wakeups),
            keys: keys.collect(),
            sent: Cow::Borrowed(&self.sent),
            message_ids: Cow::Borrowed(&self.message_ids),
            budget_usd: self.budget_usd,
            day: (self.day_cost.day, self.day_cost.usd),
            running_usd: self.running_usd,
            inherited_usd: self.inherited_usd,
            tasks: Cow::Borrowed(&self.tasks),
            mcp: Cow::Borrowed(&self.mcp),
        };
        serde_json::to_string(&stored).expect("made of strings")
    }

    fn decode(json: &str) -> Self {
        let stored: StoredMemo<'_> = serde_json::from_str(json).unwrap_or_default();
        let StoredMemo { queued, verbatim, resumable, permissions, keys, tasks, mcp, .. } = stored;
        let keys = keys.into_iter().filter_map(|(key, hex)| {
            let mut digest = [0; 32];
            hex::decode_to_slice(hex, &mut digest).ok()?;
            Some(IdempotencyKey { key: key.into_owned(), digest })
        });
        Self {
            keys: keys.collect(),
            sent: stored.sent.into_owned(),
            message_ids: stored.message_ids.into_owned(),
            budget_usd: stored.budget_usd,
            day_cost: DayCost::new(stored.day.0, stored.day.1),
            running_usd: stored.running_usd,
            inherited_usd: stored.inherited_usd,
            // A note of an earlier version has no span.
            queued_span: stored.queued_span.max(queued.len()),
            queued: queued.into_owned(),
            verbatim: verbatim.into_owned(),
            resumable: resumable.into_owned(),
            permissions: permissions.into_owned(),
            mode_before_plan: stored.mode_before_plan.map(Cow::into_owned),
            effort: stored.effort.map(Cow::into_owned),
            wakeups: stored.wakeups.into_owned(),
            tasks: tasks.into_owned(),
            mcp: mcp.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::WakeupKind;

    #[test]
    fn a_note_reads_back() {
        let digest = std::array::from_fn(|at| (at * 9) as u8);
        let memo = Memo {
            queued: vec!["m1".into(), "m2".into()],
            queued_span: 3,
            message_ids: "82015afaa03d".into(),
            budget_usd: Some(0.5),
            day_cost: DayCost::new(20_000, 0.25),
            running_usd: 0.125,
            inherited_usd: 0.0,
            verbatim: BTreeSet::from(["m2".into()]),
            resumable: BTreeSet::from(["q".into()]),
            permissions: vec![RawValue::from_string(r#"{"type":"setMode"}"#.into()).unwrap()],
            mode_before_plan: Some("acceptEdits".into()),
            effort: Some("high".into()),
            wakeups: vec![Wakeup {
                id: "w".into(),
                message_uuid: "m3".into(),
                at_ms: 7,
                prompt: "a\n".into(),
                verbatim: true,
                kind: WakeupKind::Lasting { schedule: Some("* * * * *".into()) },
            }],
            keys: vec![IdempotencyKey { key: "é\n".into(), digest }],
            sent: BTreeMap::from([("é\n".into(), "m1".into())]),
            tasks: BTreeSet::from(["t".into()]),
            mcp: BTreeMap::from([("s".into(), "connected".into())]),
        };
        let prompt = r#"{"type":"ask_user_question","correlation_id":"q","questions":[]}"#;
        let note = Note {
            status: Status::RequiresAction,
            pending: vec![OpenPrompt::decode(RawValue::from_string(prompt.into()).unwrap()).unwrap()],
            session_cost_usd: 0.1 + 0.2,
            memo: Some(memo),
        };
        let stored = note.encode();
        let read = Note::decode(&stored);
        assert_eq!(read.status, Status::RequiresAction);
        let memo = read.memo.as_ref().unwrap();
        assert_eq!((memo.keys[0].digest, memo.verbatim.len(), memo.permissions.len()), (digest, 1, 1));
        assert_eq!((read.pending[0].kind, &*read.pending[0].correlation_id), (AskKind::Question, "q"));
        assert_eq!(read.encode(), stored);
    }

    #[test]
    fn what_cannot_be_read_has_its_default() {
        for broken in ["", "\n", "x", "\"status\":\"unheard-of\"", "\"status\":\"running\n[]"] {
            let note = Note::decode(broken);
            assert_eq!((note.status, note.pending.len()), (Status::Idle, 0), "{broken}");
        }
        let keys = r#"{"keys":[["a","zz"],["b",""]]}"#;
        assert!(Memo::decode(keys).keys.is_empty());
    }
}
