//! The uuids of the messages that a session has had.

use std::collections::BTreeSet;

/// The first 48 bits of each uuid. In a v4 uuid they are random, so two messages of a session that share them are the
/// same message.
#[derive(Debug, Default)]
pub(super) struct MessageIds(BTreeSet<[u8; 6]>);

impl MessageIds {
    pub(super) fn add(&mut self, uuid: &str) {
        self.0.insert(head(uuid));
    }

    pub(super) fn remove(&mut self, uuid: &str) {
        self.0.remove(&head(uuid));
    }

    pub(super) fn contains(&self, uuid: &str) -> bool {
        self.0.contains(&head(uuid))
    }

    /// All of them in hex, without a separator.
    pub(super) fn encode(&self) -> String {
        self.0.iter().map(hex::encode).collect()
    }

    /// Decodes what [`encode`](Self::encode) wrote; what cannot be read is left out.
    pub(super) fn decode(hex: &str) -> Self {
        let heads = hex.as_bytes().chunks_exact(12).filter_map(|digits| {
            let mut head = [0; 6];
            hex::decode_to_slice(digits, &mut head).ok()?;
            Some(head)
        });
        Self(heads.collect())
    }
}

fn head(uuid: &str) -> [u8; 6] {
    let mut head = [0; 6];
    let digits: Vec<u8> = uuid.bytes().filter(|byte| *byte != b'-').take(12).collect();
    if hex::decode_to_slice(&digits, &mut head).is_err() {
        // An agent of one's own may name messages as it likes.
        head.iter_mut().zip(uuid.bytes()).for_each(|(to, from)| *to = from);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_known_again() {
        let (first, second) =
            ("82015afa-a03d-4d03-833e-793f9eaa3b59", "f7610726-eeaf-400b-be07-c91cd2569a96");
        let mut ids = MessageIds::default();
        ids.add(first);
        ids.add("u1");
        let mut ids = MessageIds::decode(&ids.encode());
        assert!(ids.contains(first) && ids.contains("u1") && !ids.contains(second));
        ids.remove(first);
        assert!(!ids.contains(first));
        assert_eq!(MessageIds::decode("zz"), MessageIds::default());
    }

    impl PartialEq for MessageIds {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
}
