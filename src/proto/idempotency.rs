//! `Idempotency-Key`: a repeated request takes effect once.

use std::collections::VecDeque;

/// Maximum number of keys remembered for a session; the oldest are dropped first.
const KEPT: usize = 1024;

/// Maximum number of the server's own keys among them, so that they take little of the note.
const KEPT_OWN: usize = 32;

/// A request's `Idempotency-Key` and a digest of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

impl IdempotencyKey {
    /// Whether it is the server's own, for a message that may come twice within seconds. No client's key has a space.
    fn is_own(&self) -> bool {
        self.key.contains(' ')
    }
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
        if key.is_own() && self.0.iter().filter(|known| known.key.is_own()).count() == KEPT_OWN {
            let oldest = self.0.iter().position(|known| known.key.is_own());
            oldest.and_then(|oldest| self.0.remove(oldest));
        }
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

        let own = |n: usize| IdempotencyKey { key: format!("inbox {n}"), digest: [0; 32] };
        (0..=KEPT_OWN).for_each(|n| keys.remember(own(n), None));
        assert_eq!([0, 1, KEPT_OWN].map(|n| keys.look_up(&own(n)) == Seen::Never), [true, false, false]);
        assert_ne!(keys.look_up(&key(KEPT, 1)), Seen::Never, "clients' keys stay");
    }
}
