//! Retention: when old events, or the pieces of whole messages, are removed from a stream.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{DurableConfig, backend::StreamRow, part::Part};

/// Number of removable events that must accumulate before a step is due.
const EVERY: u64 = 500;
/// Maximum number of sequence numbers in one step, so that appends do not wait long for it.
const STEP: u64 = 2000;
/// Maximum number of unfinished messages to remember. The pieces of forgotten ones may stay.
const UNFINISHED: usize = 64;
/// Time for which the newest events stay as they are, so that hosts that follow the stream read all of them.
const FRESH: Duration = Duration::from_secs(4);

/// What to remove in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All events before `oldest`.
    Trim { oldest: u64 },
    /// The pieces of whole messages after `after` up to `until`.
    Compact { after: u64, until: u64 },
}

/// The progress of a stream's retention.
#[derive(Debug)]
pub(super) struct Retention {
    /// Up to here there is nothing left to compact.
    compacted: u64,
    /// Where the newest message became whole; after it there is nothing to compact. Starts at the end of the
    /// stream, because what was stored before is not known.
    whole: u64,
    oldest: u64,
    pub(super) fresh: Fresh,
    /// Messages that have pieces and are not whole yet, with the sequence number of the first piece.
    unfinished: VecDeque<(String, u64)>,
    /// Whether a step is queued.
    pub(super) waiting: bool,
}

impl Retention {
    pub(super) fn new(row: &StreamRow) -> Self {
        let StreamRow { compacted, last: whole, oldest, .. } = *row;
        Self {
            compacted,
            whole,
            oldest,
            fresh: Fresh::new(whole),
            unfinished: VecDeque::new(),
            waiting: false,
        }
    }

    /// Records a stored event, or a run of pieces of one message that starts at `seq`.
    pub(super) fn note(&mut self, seq: u64, part: &Part) {
        match part {
            Part::None => {}
            Part::PieceOf(id) => {
                if self.unfinished.iter().any(|(unfinished, _)| unfinished == id) {
                    return;
                }
                if self.unfinished.len() == UNFINISHED {
                    self.unfinished.pop_front();
                }
                self.unfinished.push_back((id.clone(), seq));
            }
            Part::Whole(id) => {
                self.whole = seq;
                if let Some(at) = self.unfinished.iter().position(|(unfinished, _)| unfinished == id)
                    && let Some((_, first)) = self.unfinished.remove(at)
                {
                    // Earlier steps skipped the pieces because the message was not whole yet.
                    self.compacted = self.compacted.min(first - 1);
                }
            }
        }
    }

    /// The step that is due in a stream that ends at `last`; with `all`, even a small one.
    pub(super) fn due(
        &mut self,
        config: &DurableConfig,
        last: u64,
        needed: Needed,
        all: bool,
    ) -> Option<Step> {
        let least = if all { 1 } else { EVERY };
        if config.window_events.is_some() {
            let oldest = config.oldest(self.oldest, last).min(needed.by_replays).min(needed.by_followers);
            return (oldest >= self.oldest + least)
                .then(|| Step::Trim { oldest: oldest.min(self.oldest + STEP) });
        }
        let horizon = last.saturating_sub(config.uncompacted_events).min(needed.by_followers - 1);
        if self.compacted >= self.whole {
            self.compacted = self.compacted.max(horizon);
        }
        (horizon >= self.compacted + least)
            .then(|| Step::Compact { after: self.compacted, until: horizon.min(self.compacted + STEP) })
    }

    pub(super) fn done(&mut self, step: Step) {
        match step {
            Step::Trim { oldest } => self.oldest = oldest,
            // If a message became whole during the step, `note` may have moved `compacted` back.
            Step::Compact { after, until } if self.compacted == after => self.compacted = until,
            Step::Compact { .. } => {}
        }
    }
}

/// The first events that somebody may still have to read from the database; `u64::MAX` if nobody has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// From here on nothing is trimmed. A replay leaves out what was compacted, and says so.
    pub(super) by_replays: u64,
    /// From here on nothing is trimmed or compacted: a host that follows the stream cannot leave out anything.
    pub(super) by_followers: u64,
}

/// Finds out which events have been stored for less than [`FRESH`] to twice that time.
#[derive(Debug)]
pub(super) struct Fresh {
    /// The first event after an earlier mark, and after the newest one.
    firsts: [u64; 2],
    marked_at: Instant,
}

impl Fresh {
    /// Of a stream that is opened and ends at `last`.
    fn new(last: u64) -> Self {
        // How old the events of an earlier opener are is not known.
        Self { firsts: [1, last + 1], marked_at: Instant::now() }
    }

    /// The first fresh event of a stream that will go on with the event `next`.
    pub(super) fn first(&mut self, next: u64) -> u64 {
        if self.marked_at.elapsed() >= FRESH {
            self.firsts = [self.firsts[1], next];
            self.marked_at = Instant::now();
        }
        self.firsts[0]
    }
}

/// Protects rows from retention while a reader replays them.
#[derive(Debug)]
pub(super) struct Hold {
    next: AtomicU64,
    /// The hold ends once more bytes than this were appended to the stream.
    budget: u64,
}

impl Hold {
    pub(super) fn new(after: u64, budget: u64) -> Self {
        Self { next: AtomicU64::new(after + 1), budget }
    }

    pub(super) fn next(&self, appended: u64) -> Option<u64> {
        (appended <= self.budget).then(|| self.next.load(Ordering::Relaxed))
    }
}

/// A reader's hold. Dropping it ends the hold.
pub(super) struct HoldGuard {
    hold: Arc<Hold>,
    ended: Box<dyn Fn() + Send + Sync>,
}

impl HoldGuard {
    /// `ended` is called when the hold has ended.
    pub(super) fn new(hold: Arc<Hold>, ended: impl Fn() + Send + Sync + 'static) -> Self {
        Self { hold, ended: Box::new(ended) }
    }

    /// Records that the reader has received everything up to `seq`.
    pub(super) fn given(&self, seq: u64) {
        self.hold.next.store(seq + 1, Ordering::Relaxed);
    }
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        self.hold.next.store(u64::MAX, Ordering::Relaxed);
        (self.ended)();
    }
}

impl fmt::Debug for HoldGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The retention of a stream that ends at `last`.
    fn retention(last: u64) -> Retention {
        let row = StreamRow { id: 1, epoch: 1, oldest: 1, last, compacted: 0, closed: false, note: None };
        Retention::new(&row)
    }

    const NOBODY: Needed = Needed { by_replays: u64::MAX, by_followers: u64::MAX };

    fn replays(from: u64) -> Needed {
        Needed { by_replays: from, ..NOBODY }
    }

    fn piece() -> Part {
        Part::PieceOf("m".into())
    }

    #[test]
    fn the_newest_events_are_never_compacted() {
        let config = DurableConfig::default().uncompacted_events(100);
        let mut retention = retention(1000);
        assert_eq!(retention.due(&config, 599, NOBODY, false), None);
        assert_eq!(retention.due(&config, 600, NOBODY, false), Some(Step::Compact { after: 0, until: 500 }));
        assert_eq!(retention.due(&config, 100, NOBODY, true), None);
        assert_eq!(retention.due(&config, 101, NOBODY, true), Some(Step::Compact { after: 0, until: 1 }));
    }

    #[test]
    fn pieces_that_were_passed_are_looked_at_again_once_their_message_is_whole() {
        let config = DurableConfig::default();
        let mut retention = retention(0);
        retention.note(10, &piece());
        retention.note(11, &piece());
        assert_eq!(retention.due(&config, 1700, NOBODY, true), None);
        retention.note(1701, &Part::Whole("m".into()));
        assert_eq!(retention.due(&config, 1701, NOBODY, false), Some(Step::Compact { after: 9, until: 701 }));
    }

    #[test]
    fn a_message_that_becomes_whole_during_a_step_is_not_lost() {
        let config = DurableConfig::default();
        let mut retention = retention(0);
        retention.note(10, &piece());
        assert_eq!(retention.due(&config, 1600, NOBODY, false), None);
        retention.note(1650, &Part::Whole("another".into()));
        let step = retention.due(&config, 2200, NOBODY, false).unwrap();
        retention.note(2201, &Part::Whole("m".into()));
        retention.done(step);
        assert_eq!(retention.due(&config, 2201, NOBODY, true), Some(Step::Compact { after: 9, until: 1201 }));
    }

    #[test]
    fn where_no_message_became_whole_nothing_is_looked_for() {
        let config = DurableConfig::default().uncompacted_events(100);
        let mut retention = retention(50);
        assert_eq!(retention.due(&config, 600, NOBODY, false), Some(Step::Compact { after: 0, until: 500 }));
        retention.done(Step::Compact { after: 0, until: 500 });
        retention.note(601, &piece());
        assert_eq!(retention.due(&config, 9000, NOBODY, true), None);
        retention.note(9001, &Part::Whole("of pieces that are not known".into()));
        assert_eq!(retention.due(&config, 9400, NOBODY, false), None);
        assert_eq!(
            retention.due(&config, 9401, NOBODY, true),
            Some(Step::Compact { after: 8900, until: 9301 })
        );
    }

    #[test]
    fn nothing_is_trimmed_that_a_reader_has_still_to_be_given() {
        let config = DurableConfig::default().window_events(10);
        let mut retention = retention(1000);
        assert_eq!(retention.due(&config, 1000, replays(1), true), None);
        assert_eq!(retention.due(&config, 1000, replays(700), true), Some(Step::Trim { oldest: 700 }));
        assert_eq!(retention.due(&config, 1000, NOBODY, true), Some(Step::Trim { oldest: 991 }));
        assert_eq!(retention.due(&config, 9000, NOBODY, true), Some(Step::Trim { oldest: 2001 }));
        let hold = Arc::new(Hold::new(5, 100));
        let guard = HoldGuard::new(Arc::clone(&hold), || {});
        guard.given(7);
        assert_eq!((hold.next(100), hold.next(101)), (Some(8), None));
        drop(guard);
        assert_eq!(hold.next(100), Some(u64::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_fresh_stays_for_those_who_follow() {
        let mut fresh = Fresh::new(1000);
        assert_eq!(fresh.first(2000), 1);
        tokio::time::advance(FRESH).await;
        assert_eq!((fresh.first(3000), fresh.first(4000)), (1001, 1001));
        tokio::time::advance(FRESH).await;
        assert_eq!(fresh.first(5000), 3000, "what came before has been stored for a while");
        let followers = |from| Needed { by_followers: from, ..NOBODY };
        let config = DurableConfig::default().uncompacted_events(100);
        let compacted = retention(5000).due(&config, 5000, followers(701), false);
        assert_eq!(compacted, Some(Step::Compact { after: 0, until: 700 }));
        assert_eq!(retention(5000).due(&config, 5000, followers(1), true), None);
        let trimmed = retention(5000).due(&config.window_events(10), 5000, followers(701), false);
        assert_eq!(trimmed, Some(Step::Trim { oldest: 701 }));
    }

    #[test]
    fn few_unfinished_messages_are_remembered() {
        let mut retention = retention(0);
        for n in 0..1000 {
            retention.note(n + 1, &Part::PieceOf(n.to_string()));
        }
        assert_eq!(retention.unfinished.len(), UNFINISHED);
    }
}
