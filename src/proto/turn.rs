//! The turn gate: one turn runs at a time, and the next message is sent after its end.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;

/// Time to wait for the turn of a sent message after the agent has ended a turn of its own. Usually the
/// message's turn begins at once; if not, the message was part of the agent's turn.
const SETTLE: Duration = Duration::from_secs(1);

/// A user's message that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) content: Box<RawValue>,
    pub(super) message_uuid: String,
    /// As in [`Inbound::UserMessage`](super::Inbound::UserMessage).
    pub(super) verbatim: bool,
}

#[derive(Debug, Default)]
enum Turn {
    #[default]
    Idle,
    /// `ours`: it answers a user's message.
    Running { ours: bool },
    /// A turn of the agent's own ended with a sent message pending: it included the message, or the message's
    /// turn begins now.
    Settling { until: Instant },
}

/// The running turn and the queued messages.
#[derive(Debug, Default)]
pub(super) struct Turns {
    turn: Turn,
    queue: VecDeque<Queued>,
    /// The message that was sent to the agent and whose turn has not ended.
    sent: Option<String>,
    /// Whether the agent has begun a turn since.
    begun: bool,
    /// Number of messages that were ever queued, and of those that came before the oldest queued one.
    pushed: usize,
    before: usize,
}

impl Turns {
    pub(super) fn push(&mut self, message: Queued) {
        if self.queue.is_empty() {
            self.before = self.pushed;
        }
        self.pushed += 1;
        self.queue.push_back(message);
    }

    /// Takes the next message if no turn runs; its turn runs from then on.
    pub(super) fn next(&mut self) -> Option<Queued> {
        if self.is_running() {
            return None;
        }
        let message = self.queue.pop_front()?;
        self.before += 1;
        self.turn = Turn::Running { ours: true };
        (self.sent, self.begun) = (Some(message.message_uuid.clone()), false);
        Some(message)
    }

    /// Records that the agent began a turn, for a sent message or by itself.
    pub(super) fn began(&mut self) {
        self.begun = true;
        self.turn = match self.turn {
            Turn::Idle => Turn::Running { ours: false },
            Turn::Running { ours } => Turn::Running { ours },
            Turn::Settling { .. } => Turn::Running { ours: true },
        };
    }

    pub(super) fn ended(&mut self, now: Instant, unprompted: bool) {
        self.turn = match self.turn {
            Turn::Running { ours: true } if unprompted => Turn::Settling { until: now + SETTLE },
            _ => Turn::Idle,
        };
        if matches!(self.turn, Turn::Idle) {
            self.sent = None;
        }
    }

    /// Records that the agent does not run the message that was sent to it.
    pub(super) fn cancel_sent(&mut self, message_uuid: &str) {
        if self.sent() != Some(message_uuid) {
            return;
        }
        self.sent = None;
        self.turn = match self.turn {
            // The turn that runs is the agent's own.
            Turn::Running { .. } if self.begun => Turn::Running { ours: false },
            _ => Turn::Idle,
        };
    }

    /// Ends [`Turn::Settling`] when its time is over: the message was part of the agent's own turn.
    pub(super) fn settle(&mut self, now: Instant) {
        if matches!(self.turn, Turn::Settling { until } if until <= now) {
            self.turn = Turn::Idle;
            self.sent = None;
        }
    }

    /// Ends any turn. Returns whether one ran.
    pub(super) fn abort(&mut self) -> bool {
        let ran = self.is_running();
        self.turn = Turn::Idle;
        self.sent = None;
        ran
    }

    pub(super) fn is_running(&self) -> bool {
        !matches!(self.turn, Turn::Idle)
    }

    /// Removes a message that waits; `false` if it does not wait.
    pub(super) fn remove(&mut self, message_uuid: &str) -> bool {
        let waiting = self.queue.len();
        self.queue.retain(|queued| queued.message_uuid != message_uuid);
        self.queue.len() < waiting
    }

    /// The uuid of the message that was sent to the agent and whose turn has not ended.
    pub(super) fn sent(&self) -> Option<&str> {
        self.sent.as_deref()
    }

    /// Number of messages since the oldest queued one: the queued ones, and those between them that were withdrawn.
    pub(super) fn span(&self) -> usize {
        if self.queue.is_empty() { 0 } else { self.pushed - self.before }
    }

    /// Removes all messages that wait, and returns their uuids in order.
    pub(super) fn clear(&mut self) -> Vec<String> {
        self.queue.drain(..).map(|queued| queued.message_uuid).collect()
    }

    /// The queued messages, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Queued> {
        self.queue.iter()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn settles_at(&self) -> Option<Instant> {
        match self.turn {
            Turn::Settling { until } => Some(until),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_messages(n: usize) -> Turns {
        let mut turns = Turns::default();
        for at in 0..n {
            turns.push(Queued {
                content: RawValue::NULL.to_owned(),
                message_uuid: at.to_string(),
                verbatim: false,
            });
        }
        turns
    }

    #[test]
    fn one_at_a_time() {
        let (mut turns, now) = (with_messages(2), Instant::now());
        assert!(turns.next().is_some());
        assert!(turns.next().is_none());
        turns.began();
        assert!(turns.next().is_none());
        turns.ended(now, false);
        assert_eq!(turns.next().unwrap().message_uuid, "1");
    }

    #[test]
    fn a_turn_of_the_agents_own_does_not_end_ours() {
        let (mut turns, now) = (with_messages(2), Instant::now());
        turns.next();
        turns.ended(now, true);
        assert!(turns.next().is_none(), "ours is still due");
        turns.began();
        turns.settle(now + SETTLE);
        assert!(turns.next().is_none(), "ours runs");
        turns.ended(now, true);
        turns.settle(now + SETTLE);
        assert!(turns.next().is_some(), "ours was part of the agent's own");
    }
}
