//! The id of an event, as clients send it back.

use std::fmt;

/// Names an event among all streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventId<'a> {
    /// The stream, by the id that `rmcp` gave it.
    pub(super) stream: &'a str,
    /// Differs between two streams of the same id, of which the earlier one was forgotten.
    pub(super) incarnation: &'a str,
    pub(super) seq: u64,
}

impl<'a> EventId<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (rest, seq) = text.rsplit_once('/')?;
        let (stream, incarnation) = rest.rsplit_once('/')?;
        Some(Self { stream, incarnation, seq: seq.parse().ok()? })
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.stream, self.incarnation, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_whatever_the_streams_name() {
        for stream in ["6b0d", "6b0d:common", "a/b/3", ""] {
            let id = EventId { stream, incarnation: "18f", seq: 7 };
            assert_eq!(EventId::parse(&id.to_string()), Some(id));
        }
        for text in ["", "7", "6b0d/7", "6b0d/18f/", "6b0d/18f/x", "6b0d/18f/-1"] {
            assert_eq!(EventId::parse(text), None, "{text}");
        }
    }
}
