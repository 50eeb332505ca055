//! The part of a session's note that no client sees: what a restored session needs to know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::proto::{IdempotencyKey, idempotency::IdempotencyKeys, turn::Turns};

/// Maximum number of idempotency keys that outlive the process.
const KEYS: usize = 256;

/// Detects changes since the memo was last written.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Boxed, because most sessions are never stored.
    told: Option<Box<Told>>,
}

/// Enough to tell two memos apart: between two comparisons each of these parts only grows or only shrinks.
#[derive(Debug, Default, PartialEq)]
struct Told {
    queued: usize,
    last_queued: Option<String>,
    last_key: Option<String>,
    tasks: BTreeSet<String>,
    mcp: BTreeMap<String, String>,
}

/// The memo as it is stored: one line of JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    /// The `message_uuid`s of the messages that wait for their turn.
    pub(super) queued: Vec<String>,
    /// Idempotency keys with the digests of their bodies, in hex.
    pub(super) keys: Vec<(String, String)>,
    /// The background tasks that run.
    pub(super) tasks: BTreeSet<String>,
    /// What was told of MCP servers.
    pub(super) mcp: BTreeMap<String, String>,
}

impl Memo {
    pub(super) fn changed(
        &mut self,
        turns: &Turns,
        keys: &IdempotencyKeys,
        tasks: &BTreeSet<String>,
        mcp: &BTreeMap<String, String>,
    ) -> bool {
        let told = self.told.get_or_insert_default();
        let same = told.queued == turns.queued()
            && told.last_queued.as_deref()
                == turns.waiting().last().map(|queued| queued.message_uuid.as_str())
            && told.last_key.as_deref() == keys.last().map(|key| key.key.as_str())
            && told.tasks == *tasks
            && told.mcp == *mcp;
        if !same {
            **told = Told {
                queued: turns.queued(),
                last_queued: turns.waiting().last().map(|queued| queued.message_uuid.clone()),
                last_key: keys.last().map(|key| key.key.clone()),
                tasks: tasks.clone(),
                mcp: mcp.clone(),
            };
        }
        !same
    }

    pub(super) fn write(
        turns: &Turns,
        keys: &IdempotencyKeys,
        tasks: &BTreeSet<String>,
        mcp: &BTreeMap<String, String>,
    ) -> String {
        let stored = Stored {
            queued: turns.waiting().map(|queued| queued.message_uuid.clone()).collect(),
            keys: keys.newest(KEYS).map(|key| (key.key.clone(), hex(&key.digest))).collect(),
            tasks: tasks.clone(),
            mcp: mcp.clone(),
        };
        serde_json::to_string(&stored).expect("made of strings")
    }
}

impl Stored {
    pub(super) fn keys(&self) -> impl Iterator<Item = IdempotencyKey> {
        self.keys
            .iter()
            .filter_map(|(key, digest)| Some(IdempotencyKey { key: key.clone(), digest: unhex(digest)? }))
    }
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back() {
        let digest: [u8; 32] = std::array::from_fn(|at| (at * 9) as u8);
        assert_eq!(unhex(&hex(&digest)), Some(digest));
        for wrong in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(unhex(wrong), None);
        }
    }
}
