//! What hosts tell each other, and how it is written.

#[cfg(feature = "postgres")]
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Maximum size of a message, in bytes. Postgres takes less than 8000.
#[cfg(feature = "postgres")]
const MESSAGE: usize = 7000;

/// Something that another host may want to look at. It may be lost, late or doubled: rows decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hint {
    /// The stream of this key has grown, was closed or was deleted.
    Grew(String),
    /// The sender follows the stream of this key.
    Follows(String),
    /// The sender does not follow the stream of this key any more.
    Left(String),
    /// The inbox of this session has a further entry.
    Mail(String),
    /// The inbox entry of this id has an outcome.
    Answered(String),
    /// This session has left its host.
    Freed(String),
}

/// A message: hints of one host.
#[cfg(feature = "postgres")]
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) from: String,
    pub(super) hints: Vec<Hint>,
}

#[cfg(feature = "postgres")]
impl Hint {
    fn size(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |json| json.len() + 1)
    }
}

#[cfg(feature = "postgres")]
impl Message {
    /// As it is sent: JSON.
    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("made of strings")
    }

    /// Takes as many hints as fit into one message.
    pub(super) fn of(from: &str, waiting: &mut BTreeSet<Hint>) -> Option<Self> {
        let (mut hints, mut size) = (Vec::new(), from.len() + 64);
        while let Some(hint) = waiting.pop_first() {
            if hint.size() > MESSAGE / 2 {
                // The key of a stream may be of any length. Its followers poll.
                continue;
            }
            size += hint.size();
            if size > MESSAGE {
                waiting.insert(hint);
                break;
            }
            hints.push(hint);
        }
        (!hints.is_empty()).then(|| Self { from: from.to_owned(), hints })
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn many_hints_are_several_messages_and_none_is_lost() {
        let all: BTreeSet<Hint> = (0..1000).map(|n| Hint::Grew(format!("session-{n:036}"))).collect();
        let mut waiting = all.clone();
        waiting.insert(Hint::Mail("x".repeat(9000)));
        let mut sent = BTreeSet::new();
        while let Some(message) = Message::of("host", &mut waiting) {
            let json = message.encode();
            assert!(json.len() < 8000);
            sent.extend(serde_json::from_str::<Message>(&json).unwrap().hints);
        }
        assert_eq!(sent, all);
    }
}
