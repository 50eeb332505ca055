//! `Idempotency-Key`: a repeated request takes effect once.

use std::collections::VecDeque;

/// Maximum number of keys remembered for a session; the oldest are dropped first.
const KEPT: usize = 1024;

/// A request's `Idempotency-Key` and a digest of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

/// Whether a key was seen before, and with which body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    /// With the uuid of the message, if it was a user's message.
    SameBody(Option<String>),
    OtherBody,
}

/// The keys of accepted inputs.
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys(VecDeque<Known>);

#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: IdempotencyKey,
    pub(super) message_uuid: Option<String>,
}

impl IdempotencyKeys {
    pub(super) fn look_up(&self, key: &IdempotencyKey) -> Seen {
        match self.0.iter().find(|known| known.key.key == key.key) {
            None => Seen::Never,
            Some(known) if known.key.digest == key.digest => Seen::SameBody(known.message_uuid.clone()),
            Some(_) => Seen::OtherBody,
        }
    }

    /// The newest `count` keys, oldest first.
    pub(super) fn newest(&self, count: usize) -> impl Iterator<Item = &Known> {
        self.0.iter().skip(self.0.len().saturating_sub(count))
    }

    pub(super) fn last(&self) -> Option<&IdempotencyKey> {
        self.0.back().map(|known| &known.key)
    }

    pub(super) fn forget(&mut self, key: &IdempotencyKey) {
        self.0.retain(|known| known.key.key != key.key);
    }

    pub(super) fn remember(&mut self, key: IdempotencyKey, message_uuid: Option<String>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Known { key, message_uuid });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_one_body() {
        let mut keys = IdempotencyKeys::default();
        let key = |key: usize, digest: u8| IdempotencyKey { key: key.to_string(), digest: [digest; 32] };
        assert_eq!(keys.look_up(&key(0, 1)), Seen::Never);
        keys.remember(key(0, 1), Some("m".into()));
        assert_eq!(keys.look_up(&key(0, 1)), Seen::SameBody(Some("m".into())));
        assert_eq!(keys.look_up(&key(0, 2)), Seen::OtherBody);
        (1..=KEPT).for_each(|n| keys.remember(key(n, 1), None));
        assert_eq!(keys.look_up(&key(0, 1)), Seen::Never, "the oldest is forgotten");
    }
}
