//! The wake-ups that a session's agents have scheduled, and which of them the running process knows.
//!
//! All times are in milliseconds since the Unix epoch.

use super::{Wakeup, WakeupKind};

/// How long before a wake-up an agent is started: it must have loaded the session by then.
const LEAD: u64 = 30_000;

/// How long after its time a wake-up is expected from an agent that is at rest.
const GRACE: u64 = 60_000;

/// The same for a repeated wake-up. The CLI spreads them over up to half an hour.
const LONG_GRACE: u64 = 31 * 60_000;

/// Pause after the loss of an agent, so that a session whose agent cannot start does not start one after another. It
/// doubles with each that is lost before it has started.
const PAUSE: u64 = 60_000;

/// How often the pause doubles at most, to about an hour.
const DOUBLED: u32 = 6;

/// The pending wake-ups of a session.
#[derive(Debug, Default)]
pub(super) struct Wakeups {
    pending: Vec<Pending>,
    /// When the agent was started that has not loaded the session yet.
    starting: Option<u64>,
    /// How many agents in a row were lost before they had loaded the session.
    failed: u32,
    not_before: u64,
}

#[derive(Debug)]
struct Pending {
    wakeup: Wakeup,
    /// Whether the running process has it, so that it comes by itself.
    armed: bool,
}

impl Pending {
    /// Whether a message stands in for it if it does not come.
    const fn is_delivered(&self) -> bool {
        !matches!(self.wakeup.kind, WakeupKind::Lasting { .. })
    }

    /// When an agent is needed for it.
    const fn needs_agent_at(&self) -> u64 {
        match self.wakeup.kind {
            WakeupKind::OfProcess => self.wakeup.at_ms,
            WakeupKind::OfSession | WakeupKind::Lasting { .. } => self.wakeup.at_ms.saturating_sub(LEAD),
        }
    }

    /// When it does not come any more by itself, from an agent that rests since `rests_since`.
    fn overdue_at(&self, rests_since: u64) -> u64 {
        let grace = if self.is_delivered() { GRACE } else { LONG_GRACE };
        self.wakeup.at_ms.max(rests_since).saturating_add(grace)
    }
}

impl Wakeups {
    /// The wake-ups of a session that is restored: no process has them.
    pub(super) fn restored(wakeups: Vec<Wakeup>) -> Self {
        let pending = wakeups.into_iter().map(|wakeup| Pending { wakeup, armed: false }).collect();
        Self { pending, ..Self::default() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Wakeup> {
        self.pending.iter().map(|pending| &pending.wakeup)
    }

    /// Records a wake-up of the running process.
    pub(super) fn set(&mut self, wakeup: Wakeup) {
        self.remove(&wakeup.id);
        self.pending.push(Pending { wakeup, armed: true });
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.pending.retain(|pending| pending.wakeup.id != id);
    }

    pub(super) fn process_starts(&mut self, now: u64) {
        self.starting = Some(now);
    }

    /// Records that the new process has loaded the session.
    pub(super) fn process_has_started(&mut self, now: u64) {
        let started = self.starting.take().unwrap_or(now);
        self.failed = 0;
        // The agent has reported the next time of those that repeat.
        self.pending.retain(|pending| pending.is_delivered() || pending.wakeup.at_ms > now);
        for Pending { wakeup, armed } in &mut self.pending {
            // The process may have one whose time passed while it started. If not, it is overdue a little later.
            *armed |= wakeup.kind != WakeupKind::OfProcess && wakeup.at_ms > started;
        }
    }

    pub(super) fn process_ended(&mut self) {
        self.starting = None;
        self.pending.iter_mut().for_each(|pending| pending.armed = false);
    }

    pub(super) fn process_was_lost(&mut self, now: u64) {
        if self.starting.is_some() {
            self.failed = (self.failed + 1).min(DOUBLED + 1);
        }
        self.process_ended();
        self.not_before = now + (PAUSE << self.failed.saturating_sub(1));
    }

    /// When an agent has to be started, if none runs.
    pub(super) fn needs_agent_at(&self) -> Option<u64> {
        let earliest = self.pending.iter().map(Pending::needs_agent_at).min();
        earliest.map(|at| at.max(self.not_before))
    }

    /// When [`Wakeups::take_due`] may have something to return. `rests_since` is when the running agent came to rest;
    /// `None` while it works.
    pub(super) fn due_at(&self, rests_since: Option<u64>) -> Option<u64> {
        let due = self.pending.iter().filter_map(|pending| self.due_at_of(pending, rests_since));
        due.min().filter(|_| self.starting.is_none())
    }

    fn due_at_of(&self, pending: &Pending, rests_since: Option<u64>) -> Option<u64> {
        if pending.armed || !pending.is_delivered() {
            // An agent that works begins with it after its turn.
            return rests_since.map(|since| pending.overdue_at(since));
        }
        Some(pending.wakeup.at_ms.max(self.not_before))
    }

    /// Takes a wake-up that is due and does not come by itself: no process has it, or it did not come in time.
    pub(super) fn take_due(&mut self, now: u64, rests_since: Option<u64>) -> Option<Wakeup> {
        while self.due_at(rests_since)? <= now {
            let due = |pending: &Pending| self.due_at_of(pending, rests_since).is_some_and(|at| at <= now);
            let at = self.pending.iter().position(due)?;
            let pending = self.pending.remove(at);
            if pending.is_delivered() {
                return Some(pending.wakeup);
            }
        }
        None
    }

    /// Returns from when on an agent that could rest at `at` may rest: not shortly before a wake-up, nor before one
    /// that would end with it. `margin` is how long it must be worth while.
    pub(super) fn rests_from(&self, mut at: u64, margin: u64, rests_since: u64) -> u64 {
        let awake = self.pending.iter().filter_map(|pending| {
            let until = pending.overdue_at(rests_since);
            match pending.wakeup.kind {
                WakeupKind::OfProcess => pending.armed.then_some((0, until)),
                _ => Some((pending.needs_agent_at().saturating_sub(margin), until)),
            }
        });
        let mut awake: Vec<_> = awake.collect();
        awake.sort_unstable();
        for (from, until) in awake {
            if from <= at {
                at = at.max(until);
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn wakeup(id: &str, at_ms: u64, kind: WakeupKind) -> Wakeup {
        let (id, message_uuid) = (id.to_owned(), id.to_owned());
        Wakeup { id, message_uuid, at_ms, prompt: String::new(), verbatim: true, kind }
    }

    fn of(wakeups: impl IntoIterator<Item = Wakeup>) -> Wakeups {
        let mut all = Wakeups::default();
        wakeups.into_iter().for_each(|wakeup| all.set(wakeup));
        all
    }

    fn ids(wakeups: &Wakeups) -> Vec<&str> {
        wakeups.all().map(|wakeup| &*wakeup.id).collect()
    }

    #[test]
    fn one_that_ends_with_its_process_keeps_it() {
        let mut wakeups = of([wakeup("loop", NOW + 600_000, WakeupKind::OfProcess)]);
        assert_eq!(wakeups.rests_from(NOW, 0, NOW), NOW + 660_000);
        wakeups.process_ended();
        assert_eq!(wakeups.rests_from(NOW, 0, NOW), NOW, "nothing is left to keep");
        assert_eq!(wakeups.needs_agent_at(), Some(NOW + 600_000));
        assert!(wakeups.take_due(NOW + 599_999, None).is_none());
        assert_eq!(wakeups.take_due(NOW + 600_000, None).unwrap().id, "loop");
    }

    #[test]
    fn one_of_the_session_wakes_it_in_time() {
        let mut wakeups = of([wakeup("once", NOW + 600_000, WakeupKind::OfSession)]);
        assert_eq!(wakeups.rests_from(NOW + 100_000, 120_000, NOW), NOW + 100_000);
        assert_eq!(wakeups.rests_from(NOW + 500_000, 120_000, NOW), NOW + 660_000, "it is not worth while");
        wakeups.process_ended();
        assert_eq!(wakeups.needs_agent_at(), Some(NOW + 570_000));
        wakeups.process_starts(NOW + 570_000);
        assert!(wakeups.take_due(NOW + 700_000, Some(NOW)).is_none(), "the agent may have it");
        wakeups.process_has_started(NOW + 571_000);
        assert!(wakeups.take_due(NOW + 600_000, Some(NOW)).is_none(), "the agent has it");
        assert!(wakeups.take_due(NOW + 800_000, None).is_none(), "the agent works");
        assert_eq!(wakeups.take_due(NOW + 660_000, Some(NOW)).unwrap().id, "once", "it did not come");
    }

    #[test]
    fn one_that_passed_meanwhile_is_delivered() {
        let mut wakeups = Wakeups::restored(vec![wakeup("once", NOW - 1, WakeupKind::OfSession)]);
        wakeups.process_starts(NOW);
        wakeups.process_has_started(NOW + 500);
        assert_eq!(wakeups.take_due(NOW + 500, None).unwrap().id, "once");
        assert!(ids(&wakeups).is_empty());
    }

    #[test]
    fn one_that_passed_while_the_agent_started_comes_once() {
        let restored = || {
            let mut wakeups = Wakeups::restored(vec![wakeup("once", NOW + 200, WakeupKind::OfSession)]);
            wakeups.process_starts(NOW);
            wakeups.process_has_started(NOW + 500);
            assert!(wakeups.take_due(NOW + 500, Some(NOW + 500)).is_none(), "the agent may have it");
            wakeups
        };
        let mut comes = restored();
        comes.remove("once");
        assert!(comes.take_due(u64::MAX, Some(NOW)).is_none());
        assert_eq!(restored().take_due(NOW + 500 + GRACE, Some(NOW + 500)).unwrap().id, "once");
    }

    #[test]
    fn a_lasting_one_is_the_agents_affair() {
        let kind = WakeupKind::Lasting { schedule: None };
        let mut wakeups = Wakeups::restored(vec![wakeup("job", NOW - 1, kind.clone())]);
        assert!(wakeups.needs_agent_at().unwrap() <= NOW);
        wakeups.process_starts(NOW);
        wakeups.set(wakeup("other", NOW + 60_000, kind));
        wakeups.process_has_started(NOW);
        assert_eq!(ids(&wakeups), ["other"], "the agent has dealt with it");
        assert_eq!(wakeups.rests_from(NOW, 60_000, NOW), NOW + 60_000 + LONG_GRACE);
        assert!(wakeups.take_due(NOW + 60_000 + LONG_GRACE, Some(NOW)).is_none());
        assert!(ids(&wakeups).is_empty(), "it did not come");
    }

    #[test]
    fn an_agent_that_cannot_start_is_not_started_all_the_time() {
        let mut wakeups = Wakeups::restored(vec![wakeup("once", NOW, WakeupKind::OfSession)]);
        wakeups.process_starts(NOW);
        wakeups.process_was_lost(NOW);
        assert_eq!(wakeups.needs_agent_at(), Some(NOW + PAUSE));
        assert!(wakeups.take_due(NOW + PAUSE - 1, None).is_none());
        let mut now = NOW + PAUSE;
        for doubled in 1..100 {
            wakeups.process_starts(now);
            wakeups.process_was_lost(now);
            let pause = PAUSE << doubled.min(DOUBLED);
            assert_eq!(wakeups.needs_agent_at(), Some(now + pause));
            now += pause;
        }
        assert!(wakeups.take_due(now, None).is_some());
    }
}
