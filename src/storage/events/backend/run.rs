//! Runs: events that are stored in one row.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use crate::{layers::resume::Event, storage::events::part::Part};

/// Maximum number of events and bytes in a row, though one event alone may be larger. A page can exceed its
/// limits by one row only.
const EVENTS: usize = 256;
const BYTES: usize = 64 << 10;

/// Consecutive events that differ only in their data.
#[derive(Debug)]
pub(in crate::storage::events) struct Run {
    pub(in crate::storage::events) name: Cow<'static, str>,
    pub(in crate::storage::events) part: Part,
    first: Bytes,
    /// The data of the events after the first, concatenated.
    rest: Vec<u8>,
    sizes: Vec<usize>,
}

impl Run {
    pub(super) fn new(event: &Event, part: Part) -> Self {
        let Event { name, data } = event.clone();
        Self { name, part, sizes: vec![data.len()], first: data, rest: Vec::new() }
    }

    /// Adds the next event to this run, if it fits; returns whether it did. A whole message has a row of its
    /// own, whose sequence number is exactly the message's.
    pub(super) fn takes(&mut self, event: &Event, part: &Part) -> bool {
        let fits =
            self.sizes.len() < EVENTS && self.first.len() + self.rest.len() + event.data.len() <= BYTES;
        let alike = event.name == self.name && *part == self.part && !matches!(part, Part::Whole(_));
        if fits && alike {
            self.rest.extend_from_slice(&event.data);
            self.sizes.push(event.data.len());
        }
        fits && alike
    }

    pub(in crate::storage::events) fn events(&self) -> u64 {
        self.sizes.len() as u64
    }

    pub(in crate::storage::events) fn bytes(&self) -> u64 {
        (self.first.len() + self.rest.len()) as u64
    }

    pub(super) fn data(&self) -> Vec<u8> {
        [&self.first[..], &self.rest].concat()
    }

    pub(super) fn sizes(&self) -> Option<String> {
        sizes_text(&self.sizes)
    }

    pub(super) fn piece_of(&self) -> Option<&str> {
        match &self.part {
            Part::PieceOf(id) => Some(id),
            Part::None | Part::Whole(_) => None,
        }
    }

    pub(super) fn whole_of(&self) -> Option<&str> {
        match &self.part {
            Part::Whole(id) => Some(id),
            Part::None | Part::PieceOf(_) => None,
        }
    }
}

/// An event as stored.
#[derive(Debug)]
pub(in crate::storage::events) struct StoredEvent {
    pub(in crate::storage::events) seq: u64,
    pub(in crate::storage::events) name: Arc<str>,
    pub(in crate::storage::events) data: Bytes,
}

/// A row: the last sequence number, the name, the data and the sizes.
pub(super) type RunTuple = (i64, String, Vec<u8>, Option<String>);

/// The events of a row, in order.
pub(super) fn unpack((last, name, data, sizes): RunTuple) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let sizes = parse_sizes(sizes.as_deref(), data.len())?;
    let (name, mut data) = (Arc::<str>::from(name), Bytes::from(data));
    let first = (super::unsigned(last) + 1).saturating_sub(sizes.len() as u64);
    let event = |(seq, size)| StoredEvent { seq, name: Arc::clone(&name), data: data.split_to(size) };
    Ok((first..).zip(sizes).map(event).collect())
}

/// Cuts off the events before `first` and returns the rest of the row: its number of events, data and sizes.
pub(super) fn cut(
    (last, _, data, sizes): RunTuple,
    first: u64,
) -> Result<(i64, Vec<u8>, Option<String>), sqlx::Error> {
    let sizes = parse_sizes(sizes.as_deref(), data.len())?;
    let kept = (super::unsigned(last) + 1).saturating_sub(first) as usize;
    let (gone, kept) = sizes.split_at(sizes.len().saturating_sub(kept));
    let data = data[gone.iter().sum::<usize>()..].to_vec();
    Ok((kept.len() as i64, data, sizes_text(kept)))
}

/// The sizes as a JSON array; `None` for a single event.
fn sizes_text(sizes: &[usize]) -> Option<String> {
    let text: Vec<String> = sizes.iter().map(usize::to_string).collect();
    (sizes.len() > 1).then(|| format!("[{}]", text.join(",")))
}

fn parse_sizes(sizes: Option<&str>, bytes: usize) -> Result<Vec<usize>, sqlx::Error> {
    let Some(sizes) = sizes else { return Ok(vec![bytes]) };
    let sizes: Vec<usize> = serde_json::from_str(sizes).map_err(|error| sqlx::Error::Decode(error.into()))?;
    match sizes.iter().try_fold(0usize, |sum, size| sum.checked_add(*size)) {
        Some(sum) if sum == bytes => Ok(sizes),
        _ => Err(sqlx::Error::Decode("the sizes of a run of events do not match its data".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(data: &[&'static str]) -> Run {
        let event = |data: &&'static str| Event::new("tick", *data);
        let mut run = Run::new(&event(&data[0]), Part::None);
        assert!(data[1..].iter().all(|data| run.takes(&event(data), &Part::None)));
        run
    }

    fn row(run: &Run, last: i64) -> RunTuple {
        (last, run.name.clone().into_owned(), run.data(), run.sizes())
    }

    fn events(row: RunTuple) -> Vec<(u64, Bytes)> {
        unpack(row).unwrap().into_iter().map(|event| (event.seq, event.data)).collect()
    }

    #[test]
    fn a_row_gives_the_events_it_was_made_of() {
        for data in [&["a"][..], &[""], &["a", "", "bcd"], &["", ""]] {
            let expected: Vec<_> = (5..).zip(data.iter().copied().map(Bytes::from)).collect();
            assert_eq!(events(row(&run(data), 4 + data.len() as i64)), expected);
        }
    }

    #[test]
    fn what_is_left_of_a_row_is_its_end() {
        let whole = run(&["a", "", "bcd", "e"]);
        for first in 5..=8 {
            let (kept, data, sizes) = cut(row(&whole, 8), first).unwrap();
            assert_eq!(kept as u64, 9 - first);
            let left = events((8, "tick".into(), data, sizes));
            assert_eq!(left, events(row(&whole, 8))[first as usize - 5..]);
        }
    }

    #[test]
    fn only_what_is_alike_and_not_whole_lies_in_one_row() {
        let piece = |id: &str| Part::PieceOf(id.into());
        let event = Event::new("delta", "a");
        let mut run = Run::new(&event, piece("m"));
        assert!(run.takes(&event, &piece("m")));
        assert!(!run.takes(&event, &piece("n")) && !run.takes(&event, &Part::None));
        assert!(!run.takes(&Event::new("other", "a"), &piece("m")));
        let whole = Part::Whole("m".into());
        assert!(!Run::new(&event, whole.clone()).takes(&event, &whole));
    }

    #[test]
    fn a_row_is_of_bounded_size() {
        let fill = |data: String| {
            let event = Event::new("", data);
            let mut run = Run::new(&event, Part::None);
            while run.takes(&event, &Part::None) {}
            (run.events(), run.bytes())
        };
        assert_eq!(fill("a".into()), (256, 256));
        assert_eq!(fill("a".repeat(30_000)), (2, 60_000));
        assert_eq!(fill("a".repeat(100_000)), (1, 100_000));
    }

    #[test]
    fn a_row_that_contradicts_itself_is_an_error() {
        for sizes in ["[1,1]", "[4]", "[-1,4]", "{}", "", "[18446744073709551615,4]"] {
            assert!(unpack((9, "tick".into(), b"abc".to_vec(), Some(sizes.into()))).is_err(), "{sizes}");
        }
    }
}
