//! The bounded queue of entries to store, in batches per transcript. No I/O.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::storage::transcripts::{Entry, TranscriptKey};

/// A batch with this many entries is due at once.
const MOST_ENTRIES: usize = 500;

/// A batch of this many bytes is due at once.
const MOST_BYTES: usize = 1 << 20;

/// How long a smaller batch waits for further entries, unless it is flushed.
const LINGER: Duration = Duration::from_millis(500);

/// Entries of one transcript that are stored together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) key: TranscriptKey,
    pub(crate) entries: Vec<Entry>,
    bytes: usize,
    /// The number of the batch's oldest entry.
    first: u64,
    due: Instant,
}

/// The queue. Batches of one transcript leave in the order in which their entries were pushed.
#[derive(Debug)]
pub(crate) struct Batches {
    waiting: VecDeque<Batch>,
    /// The number of the oldest entry that is being stored.
    leaving: Option<u64>,
    /// The number of entries pushed so far.
    accepted: u64,
    /// All entries before this number are due.
    flush_to: u64,
    bytes: usize,
    limit: usize,
    full: bool,
}

/// The queue is full. It stays full for good, so that the stored transcript ends instead of having a gap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Batches {
    /// Creates a queue of at most `limit` bytes, including the batch that is being stored.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            leaving: None,
            accepted: 0,
            flush_to: 0,
            bytes: 0,
            limit,
            full: false,
        }
    }

    /// Adds entries of a transcript.
    pub(crate) fn push(
        &mut self,
        key: &TranscriptKey,
        entries: Vec<Entry>,
        now: Instant,
    ) -> Result<(), Full> {
        for entry in entries {
            let size = size(&entry);
            if self.full || self.bytes + size > self.limit {
                self.full = true;
                return Err(Full);
            }
            self.bytes += size;
            let last = self.waiting.iter_mut().rev().find(|batch| batch.key == *key);
            match last {
                Some(batch) if !batch.is_whole() => {
                    batch.bytes += size;
                    batch.entries.push(entry);
                }
                _ => self.waiting.push_back(Batch {
                    key: key.clone(),
                    entries: vec![entry],
                    bytes: size,
                    first: self.accepted,
                    due: now + LINGER,
                }),
            }
            self.accepted += 1;
        }
        Ok(())
    }

    /// Makes all entries due. Returns a mark for [`is_stored`](Self::is_stored).
    pub(crate) const fn flush(&mut self) -> u64 {
        self.flush_to = self.accepted;
        self.accepted
    }

    /// Whether all entries before this mark are stored or given up.
    pub(crate) fn is_stored(&self, mark: u64) -> bool {
        let oldest = self.waiting.iter().map(|batch| batch.first).chain(self.leaving).min();
        oldest.is_none_or(|oldest| oldest >= mark)
    }

    /// Returns when the next batch becomes due by time. Changes with every other call.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.iter().map(|batch| batch.due).min()
    }

    /// Takes the next batch that is due. Call [`settled`](Self::settled), [`put_back`](Self::put_back) or
    /// [`halve`](Self::halve) with it before the next call.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Batch> {
        let at = self.waiting.iter().position(|batch| self.is_due(batch, now))?;
        // An older batch of the same transcript goes first, even if it is not due, to keep the order.
        let at = self.waiting.iter().position(|batch| batch.key == self.waiting[at].key)?;
        let batch = Batch { due: now, ..self.waiting.remove(at)? };
        self.leaving = Some(batch.first);
        Some(batch)
    }

    /// Removes a batch that is stored or given up.
    pub(crate) fn settled(&mut self, batch: &Batch) {
        self.bytes -= batch.bytes;
        self.leaving = None;
    }

    /// Returns a batch that was not stored to the front of the queue.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        self.leaving = None;
        self.waiting.push_front(batch);
    }

    /// Splits a batch that the transcript store refused and puts both halves back, so that the refused entry
    /// is found. Returns a batch of one entry, which cannot be split.
    pub(crate) fn halve(&mut self, mut batch: Batch) -> Option<Batch> {
        if batch.entries.len() < 2 {
            return Some(batch);
        }
        let entries = batch.entries.split_off(batch.entries.len() / 2);
        let bytes = entries.iter().map(size).sum();
        batch.bytes -= bytes;
        let second = Batch { entries, bytes, key: batch.key.clone(), ..batch };
        self.put_back(second);
        self.put_back(batch);
        None
    }

    /// The number of entries that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.iter().map(|batch| batch.entries.len()).sum()
    }

    /// Returns how many bytes can be added.
    pub(crate) const fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes)
    }

    /// Drops all entries and accepts no more.
    pub(crate) fn clear(&mut self) {
        *self = Self { full: true, ..Self::new(self.limit) };
    }

    fn is_due(&self, batch: &Batch, now: Instant) -> bool {
        batch.is_whole() || batch.first < self.flush_to || batch.due <= now
    }
}

impl Batch {
    fn is_whole(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES || self.bytes >= MOST_BYTES
    }
}

fn size(entry: &Entry) -> usize {
    entry.json().get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64 << 20;

    fn entries(range: std::ops::Range<usize>) -> Vec<Entry> {
        range.map(|n| entry(&format!("{{\"n\":{n}}}"))).collect()
    }

    fn entry(json: &str) -> Entry {
        json.parse().unwrap()
    }

    fn keys() -> (TranscriptKey, TranscriptKey) {
        let main = TranscriptKey::main("-w", "s");
        let sub = main.with_subpath("subagents/agent-1");
        (main, sub)
    }

    /// Takes all due batches, each shown as `subpath: first-last`.
    fn drain(batches: &mut Batches, now: Instant) -> Vec<String> {
        let mut left = Vec::new();
        while let Some(batch) = batches.next(now) {
            left.push(shown(&batch));
            batches.settled(&batch);
        }
        left
    }

    fn shown(batch: &Batch) -> String {
        let n = |entry: &Entry| entry.json().get()[5..].trim_end_matches('}').to_owned();
        let [first, .., last] = &batch.entries[..] else { return n(&batch.entries[0]) };
        format!("{}: {}-{}", batch.key.subpath, n(first), n(last))
    }

    #[test]
    fn entries_linger_until_they_are_flushed() {
        let (now, (main, sub)) = (Instant::now(), keys());
        let mut batches = Batches::new(LIMIT);
        batches.push(&main, entries(0..2), now).unwrap();
        batches.push(&sub, entries(2..4), now).unwrap();
        batches.push(&main, entries(4..6), now).unwrap();
        assert!(batches.next(now).is_none());
        assert_eq!(batches.due(), Some(now + LINGER));
        let mark = batches.flush();
        assert!(!batches.is_stored(mark));
        assert_eq!(drain(&mut batches, now), [": 0-5", "subagents/agent-1: 2-3"]);
        assert!(batches.is_stored(mark));
        assert_eq!(batches.due(), None);
    }

    #[test]
    fn what_came_after_a_flush_does_not_hold_it_up() {
        let (now, (main, sub)) = (Instant::now(), keys());
        let mut batches = Batches::new(LIMIT);
        batches.push(&main, entries(0..2), now).unwrap();
        let mark = batches.flush();
        let leaving = batches.next(now).unwrap();
        batches.push(&sub, entries(2..4), now).unwrap();
        assert!(!batches.is_stored(mark), "it is not stored while it is being stored");
        batches.settled(&leaving);
        assert!(batches.is_stored(mark));
        assert!(batches.next(now).is_none());
        assert_eq!(drain(&mut batches, now + LINGER), ["subagents/agent-1: 2-3"]);
    }

    #[test]
    fn whole_batches_leave_at_once() {
        let (now, (main, _)) = (Instant::now(), keys());
        let mut batches = Batches::new(LIMIT);
        batches.push(&main, entries(0..1001), now).unwrap();
        assert_eq!(drain(&mut batches, now), [": 0-499", ": 500-999"]);
        let large = entry(&format!("{{\"n\":\"{}\"}}", "x".repeat(MOST_BYTES)));
        batches.push(&main, vec![large], now).unwrap();
        assert_eq!(drain(&mut batches, now).len(), 1, "the one that waited takes the large one along");
        assert_eq!(batches.len(), 0);
    }

    #[test]
    fn a_batch_that_failed_comes_again_before_what_came_later() {
        let (now, (main, _)) = (Instant::now(), keys());
        let mut batches = Batches::new(LIMIT);
        batches.push(&main, entries(0..2), now).unwrap();
        batches.flush();
        let batch = batches.next(now).unwrap();
        batches.push(&main, entries(2..4), now).unwrap();
        let mark = batches.flush();
        batches.put_back(batch);
        assert!(!batches.is_stored(mark));
        assert_eq!(drain(&mut batches, now), [": 0-1", ": 2-3"]);
    }

    #[test]
    fn an_unfit_entry_is_found_and_the_rest_keeps_its_order() {
        let (now, (main, _)) = (Instant::now(), keys());
        let mut batches = Batches::new(LIMIT);
        batches.push(&main, entries(0..11), now).unwrap();
        batches.flush();
        let (mut stored, mut unfit) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.next(now) {
            let numbers: Vec<_> = batch.entries.iter().map(|entry| entry.json().get().to_owned()).collect();
            if numbers.iter().any(|json| json == "{\"n\":7}") {
                if let Some(batch) = batches.halve(batch) {
                    unfit.extend(numbers);
                    batches.settled(&batch);
                }
            } else {
                stored.extend(numbers);
                batches.settled(&batch);
            }
        }
        let expected: Vec<_> = (0..11).filter(|n| *n != 7).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert_eq!((stored, unfit), (expected, vec!["{\"n\":7}".to_owned()]));
        assert_eq!(batches.bytes, 0);
    }

    #[test]
    fn a_full_queue_keeps_its_beginning_and_takes_nothing_more() {
        let (now, (main, _)) = (Instant::now(), keys());
        let mut batches = Batches::new(3 * "{\"n\":0}".len());
        assert_eq!(batches.push(&main, entries(0..5), now), Err(Full));
        batches.flush();
        assert_eq!(drain(&mut batches, now), [": 0-2"]);
        assert_eq!(batches.push(&main, entries(5..6), now), Err(Full), "a gap is worse than an end");
    }
}

#[cfg(test)]
mod model;
