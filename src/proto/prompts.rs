//! The open prompts. Each one is settled exactly once, because settling removes it.

use super::{
    Ask, AskKind, OpenPrompt, OutEvent,
    json::{self, Object},
};

/// How a prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Answered { behavior: Option<&'a str>, by_link: bool },
    Cancelled,
    SessionClosed,
}

/// The open prompts of a session, in the order in which they were asked.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    open: Vec<Ask>,
    changed: bool,
}

impl Prompts {
    pub(super) fn ask(&mut self, ask: Ask) -> OutEvent {
        let event = OutEvent::prompt(&ask);
        self.open.push(ask);
        self.changed = true;
        event
    }

    pub(super) fn get(&self, correlation_id: &str) -> Option<&Ask> {
        self.open.iter().find(|ask| ask.correlation_id == correlation_id)
    }

    /// Removes a prompt and returns the event of its end; `None` if it is not open.
    pub(super) fn settle(&mut self, correlation_id: &str, outcome: Outcome<'_>) -> Option<OutEvent> {
        let at = self.open.iter().position(|ask| ask.correlation_id == correlation_id)?;
        self.changed = true;
        Some(resolved(&self.open.remove(at), outcome))
    }

    pub(super) fn settle_all(&mut self, outcome: Outcome<'_>) -> Vec<OutEvent> {
        self.changed |= !self.open.is_empty();
        self.open.drain(..).map(|ask| resolved(&ask, outcome)).collect()
    }

    /// Settles the prompts that no other agent can ask again.
    pub(super) fn settle_lost(&mut self, outcome: Outcome<'_>) -> Vec<OutEvent> {
        let (kept, lost): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|ask| ask.resumable);
        self.open = kept;
        self.changed |= !lost.is_empty();
        lost.iter().map(|ask| resolved(ask, outcome)).collect()
    }

    /// The ids of the prompts that another agent can ask again.
    pub(super) fn resumable(&self) -> Vec<String> {
        let resumable = self.open.iter().filter(|ask| ask.resumable);
        resumable.map(|ask| ask.correlation_id.clone()).collect()
    }

    /// Opens the prompts of an earlier process again; there is no event, for clients know them.
    pub(super) fn restore(&mut self, asks: Vec<Ask>) {
        self.open = asks;
    }

    /// Takes the place of an open prompt that the agent asks again. Returns whether there is one.
    pub(super) fn replace(&mut self, ask: &Ask) -> bool {
        let open =
            self.open.iter_mut().find(|open| open.resumable && open.correlation_id == ask.correlation_id);
        open.map(|open| open.clone_from(ask)).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether prompts were added or settled since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The open prompts, in the order in which they were asked.
    pub(super) fn open(&self) -> Vec<OpenPrompt> {
        self.open.iter().map(open_prompt).collect()
    }
}

fn open_prompt(ask: &Ask) -> OpenPrompt {
    let event = OutEvent::prompt(ask);
    let mut json = Object::new().string("type", event.name).finish();
    json.pop();
    json.push(b',');
    json.extend_from_slice(&event.data[1..]);
    let (kind, correlation_id) = (ask.kind, ask.correlation_id.clone());
    OpenPrompt { kind, correlation_id, json: json::into_raw(json) }
}

fn resolved(ask: &Ask, outcome: Outcome<'_>) -> OutEvent {
    let (outcome, behavior, by) = match outcome {
        Outcome::Answered { behavior, by_link } => {
            let behavior = behavior.filter(|_| ask.kind == AskKind::Permission);
            ("answered", behavior, by_link.then_some("link"))
        }
        Outcome::Cancelled => ("cancelled", None, None),
        Outcome::SessionClosed => ("session_closed", None, None),
    };
    OutEvent::prompt_resolved(&ask.correlation_id, ask.kind, outcome, behavior, by)
}
