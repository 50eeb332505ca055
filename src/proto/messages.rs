//! Messages that are being written. An agent sends single blocks; clients receive whole messages.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use serde_json::value::{RawValue, to_raw_value};

use super::{AgentMessage, OutEvent, json::Members};

/// Maximum time that a finished block is held for the agent's next event, which usually is the stop reason.
const HOLD: Duration = Duration::from_millis(50);

/// Maximum number of messages that grow at the same time, of the agent and its sub-agents.
const GROWING: usize = 64;

/// The messages that may still grow, oldest first.
///
/// A finished block is held until the agent's next event, at most [`HOLD`]. The stop reason follows a
/// message's last block at once, and then one `message_complete` carries both.
#[derive(Debug, Default)]
pub(super) struct Messages {
    growing: VecDeque<Growing>,
    held: Option<Held>,
    /// Of each writer at most one, in the order in which they began.
    half_written: VecDeque<HalfWritten>,
}

/// A message of which pieces were sent that no `message_complete` has replaced.
#[derive(Debug)]
struct HalfWritten {
    message_id: String,
    /// Its writer: the agent, or a sub-agent.
    parent: Option<String>,
}

#[derive(Debug)]
struct Growing {
    message: AgentMessage,
    /// Number of blocks that were searched for tool calls.
    told: usize,
    /// The ids of the tool calls for which a `tool_use` was returned.
    tools: HashSet<String>,
}

#[derive(Debug)]
struct Held {
    message_id: String,
    until: Instant,
}

impl Messages {
    /// A piece of a message is about to be sent. Gives the end of the message that its writer left half-written.
    pub(super) fn piece(&mut self, message_id: &str, parent: Option<&str>) -> Vec<OutEvent> {
        let mut of_writer = self.half_written.iter().filter(|half| half.parent.as_deref() == parent);
        if of_writer.any(|half| half.message_id == message_id) {
            return Vec::new();
        }
        let mut events = self.give_up(|half| half.parent.as_deref() == parent);
        if self.half_written.len() == GROWING
            && let Some(oldest) = self.half_written.pop_front()
        {
            events.push(self.end_of(&oldest));
        }
        let half = HalfWritten { message_id: message_id.to_owned(), parent: parent.map(str::to_owned) };
        self.half_written.push_back(half);
        events
    }

    /// Adds new blocks. Returns the events of another message that was held, and the end of one that was left
    /// half-written.
    pub(super) fn add(&mut self, now: Instant, mut new: AgentMessage) -> Vec<OutEvent> {
        let same = self.held.as_ref().is_some_and(|held| held.message_id == new.id);
        let mut events = if same { Vec::new() } else { self.release() };
        events
            .extend(self.give_up(|half| half.parent == new.parent_tool_use_id && half.message_id != new.id));
        self.held = Some(Held { message_id: new.id.clone(), until: now + HOLD });
        match self.growing.iter_mut().rfind(|growing| growing.message.id == new.id) {
            Some(growing) => {
                growing.message.blocks.append(&mut new.blocks);
                growing.message.extra = new.extra;
            }
            None => {
                if self.growing.len() == GROWING {
                    self.growing.pop_front();
                }
                self.growing.push_back(Growing { message: new, told: 0, tools: HashSet::new() });
            }
        }
        events
    }

    /// Sets the stop reason of a message. Returns the held events; a message that was not held long enough is complete
    /// once more, with its stop reason.
    pub(super) fn stopped(&mut self, message_id: &str, stop_reason: Option<&str>) -> Vec<OutEvent> {
        let growing = self.growing.iter_mut().rfind(|growing| growing.message.id == message_id);
        let (Some(growing), Some(reason)) = (growing, stop_reason) else { return self.release() };
        let reason = to_raw_value(reason).expect("a string is always JSON");
        match growing.message.extra.iter_mut().find(|(key, _)| key == "stop_reason") {
            Some((_, value)) if value.get() == reason.get() => return self.release(),
            Some((_, value)) => *value = reason,
            None => growing.message.extra.push(("stop_reason".into(), reason)),
        }
        let mut late = Vec::new();
        if self.held.as_ref().is_none_or(|held| held.message_id != message_id) {
            late.push(OutEvent::message_complete(&growing.message));
        }
        late.extend(self.release());
        late
    }

    /// Returns the held events: the message so far, then each new tool call in it.
    pub(super) fn release(&mut self) -> Vec<OutEvent> {
        let Some(growing) = self.held_message() else { return Vec::new() };
        let message = &growing.message;
        let mut events = vec![OutEvent::message_complete(message)];
        for block in &message.blocks[growing.told..] {
            if let Some((id, name, input)) = tool_call(block)
                && growing.tools.insert(id.clone())
            {
                events.push(OutEvent::tool_use(message, &id, &name, input));
            }
        }
        growing.told = message.blocks.len();
        if let Some(Held { message_id, .. }) = self.held.take() {
            self.half_written.retain(|half| half.message_id != message_id);
        }
        events
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until)
    }

    /// The agent writes no more on its message. Gives the end of one that it left half-written.
    pub(super) fn end_own(&mut self) -> Vec<OutEvent> {
        self.give_up(|half| half.parent.is_none())
    }

    /// Forgets all messages. Call it when no block can follow. Returns the ends of those that were left half-written.
    pub(super) fn clear(&mut self) -> Vec<OutEvent> {
        debug_assert!(self.held.is_none(), "release first");
        let events = self.give_up(|_| true);
        self.growing.clear();
        events
    }

    /// Ends those of the half-written messages.
    fn give_up(&mut self, which: impl Fn(&HalfWritten) -> bool) -> Vec<OutEvent> {
        let (given_up, kept) = std::mem::take(&mut self.half_written).into_iter().partition(which);
        self.half_written = kept;
        VecDeque::iter(&given_up).map(|half| self.end_of(half)).collect()
    }

    /// A message ends with the blocks that were finished, which the agent keeps. Without one it is abandoned.
    fn end_of(&self, half: &HalfWritten) -> OutEvent {
        match self.growing.iter().rfind(|growing| growing.message.id == half.message_id) {
            Some(growing) => OutEvent::message_complete(&growing.message),
            None => OutEvent::message_abandoned(&half.message_id, half.parent.as_deref()),
        }
    }

    fn held_message(&mut self) -> Option<&mut Growing> {
        let held = self.held.as_ref()?;
        self.growing.iter_mut().rfind(|growing| growing.message.id == held.message_id)
    }
}

fn tool_call(block: &RawValue) -> Option<(String, String, &RawValue)> {
    let members: Members<'_> = serde_json::from_str(block.get()).ok()?;
    let text = |name: &str| members.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    if text("type")? != "tool_use" {
        return None;
    }
    Some((text("id")?, text("name")?, members.get("input")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(json: &str) -> AgentMessage {
        AgentMessage {
            id: "m1".into(),
            parent_tool_use_id: None,
            blocks: vec![RawValue::from_string(json.into()).unwrap()],
            extra: vec![("stop_reason".into(), RawValue::NULL.to_owned())],
        }
    }

    fn text(events: &[OutEvent]) -> Vec<String> {
        events
            .iter()
            .map(|event| format!("{} {}", event.name, String::from_utf8_lossy(&event.data)))
            .collect()
    }

    #[test]
    fn a_stop_reason_that_comes_late_completes_the_message_again() {
        let mut messages = Messages::default();
        messages.add(Instant::now(), block(r#"{"type":"text","text":"hi"}"#));
        messages.release();
        let events = text(&messages.stopped("m1", Some("end_turn")));
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].contains(r#""stop_reason":"end_turn""#), "{events:?}");
        assert!(messages.stopped("m1", Some("end_turn")).is_empty(), "once");
        assert!(messages.stopped("other", Some("end_turn")).is_empty());
    }

    #[test]
    fn each_completion_carries_all_blocks_and_each_tool_is_told_once() {
        let mut messages = Messages::default();
        let now = Instant::now();
        assert!(messages.add(now, block(r#"{"type":"text","text":"hi"}"#)).is_empty());
        assert_eq!(
            text(&messages.release()),
            [concat!(
                r#"message_complete {"message_id":"m1","message":{"id":"m1","role":"assistant","#,
                r#""content":[{"type":"text","text":"hi"}],"stop_reason":null}}"#
            )]
        );
        messages.add(now, block(r#"{"type":"tool_use","id":"t1","name":"Bash","input":{"a":1}}"#));
        let events = text(&messages.stopped("m1", Some("tool_use")));
        assert_eq!(events.len(), 2);
        assert!(
            events[0].contains(r#""content":[{"type":"text","text":"hi"},{"type":"tool_use""#),
            "{events:?}"
        );
        assert!(events[0].contains(r#""stop_reason":"tool_use""#), "{events:?}");
        assert_eq!(
            events[1],
            r#"tool_use {"message_id":"m1","tool_use_id":"t1","tool_name":"Bash","input":{"a":1}}"#
        );
        messages.add(now, block(r#"{"type":"text","text":"more"}"#));
        assert_eq!(messages.release().len(), 1, "the tool call is not told again");
        assert!(messages.release().is_empty());
    }

    #[test]
    fn a_message_that_the_agent_gives_up_is_closed_before_the_next_one() {
        let mut messages = Messages::default();
        assert!(messages.piece("half", None).is_empty() && messages.piece("half", None).is_empty());
        assert!(messages.piece("sub", Some("t1")).is_empty(), "a sub-agent writes beside it");
        let abandoned = r#"message_complete {"message_id":"half","message":{"id":"half","role":"assistant","content":[]},"abandoned":true}"#;
        assert_eq!(text(&messages.piece("m1", None)), [abandoned]);
        let mut error = block(r#"{"type":"text","text":"API Error"}"#);
        error.id = "m2".into();
        assert!(text(&messages.add(Instant::now(), error))[0].contains(r#""message_id":"m1""#));
        messages.release();
        assert!(messages.end_own().is_empty(), "m2 is whole");
        let of_sub_agent = text(&messages.clear());
        assert!(
            of_sub_agent[0].ends_with(r#""parent_tool_use_id":"t1","abandoned":true}"#),
            "{of_sub_agent:?}"
        );
        assert!(messages.clear().is_empty());
    }

    #[test]
    fn finished_blocks_outlive_a_half_written_one() {
        let mut messages = Messages::default();
        messages.piece("m1", None);
        messages.add(Instant::now(), block(r#"{"type":"text","text":"whole"}"#));
        let whole = text(&messages.release());
        assert!(messages.end_own().is_empty(), "nothing is half-written");
        messages.piece("m1", None);
        assert_eq!(text(&messages.piece("m2", None)), whole, "the pieces after it are taken back");
    }

    #[test]
    fn another_message_lets_the_held_one_go() {
        let mut messages = Messages::default();
        messages.add(Instant::now(), block(r#"{"type":"text","text":"hi"}"#));
        let mut other = block(r#"{"type":"text","text":"sub"}"#);
        other.id = "m2".into();
        other.parent_tool_use_id = Some("t1".into());
        let events = messages.add(Instant::now(), other);
        assert!(text(&events)[0].contains("hi"));
        assert!(text(&messages.release())[0].ends_with(r#""parent_tool_use_id":"t1"}"#));
    }
}
