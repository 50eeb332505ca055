//! Wakes the session for what its agents have scheduled.

use std::time::{Duration, Instant};

use serde_json::value::to_raw_value;

use super::{Agent, Session};
use crate::proto::{OutEvent, turn::Queued};

/// A session whose next wake-up is nearer than this stays in memory.
const NEAR: Duration = Duration::from_secs(120);

/// The relation of the two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    unix_ms: u64,
}

impl Session {
    /// Sets the time of day, in milliseconds since the Unix epoch. Without it no wake-up comes.
    pub fn set_time_of_day(&mut self, now: Instant, unix_ms: u64) {
        self.clock = Some(Clock { instant: now, unix_ms });
    }

    /// When the session next needs an agent for a wake-up, in milliseconds since the Unix epoch. A session that is not
    /// in memory has to be restored by then.
    #[must_use]
    pub fn wakes_at_ms(&self) -> Option<u64> {
        self.wakeups.needs_agent_at().filter(|_| !self.closed || self.suspended)
    }

    /// Sends the wake-ups that are due and that no agent knows, and starts an agent for those that are near.
    pub(super) fn wake(&mut self, now: Instant) {
        let unix_ms = self.unix_ms(now);
        while let Some(wakeup) = self.wakeups.take_due(unix_ms, self.rests_since()) {
            let content = to_raw_value(&wakeup.prompt).expect("a string is always JSON");
            let extra = [("message_uuid", &wakeup.message_uuid)].map(|(name, value)| {
                (name.to_owned(), to_raw_value(value).expect("a string is always JSON"))
            });
            self.emit(OutEvent::status("wakeup", &Vec::from(extra)));
            self.emit(OutEvent::user_message(&content, &wakeup.message_uuid));
            self.message_ids.add(&wakeup.message_uuid);
            let (message_uuid, verbatim) = (wakeup.message_uuid, wakeup.verbatim);
            self.turns.push(Queued { content, message_uuid, verbatim });
        }
        if self.exceeded(now).is_some() {
            self.withdraw_queue();
        }
        self.send_next();
        let needs_agent = self.wakeups.needs_agent_at().is_some_and(|at| at <= unix_ms);
        if needs_agent && matches!(self.agent, Agent::Down) {
            self.start_agent(Vec::new(), self.prompts.resumable());
            self.touch(now);
        }
    }

    /// When [`Session::wake`] has something to do.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let at = match self.agent {
            Agent::Down => self.wakeups.needs_agent_at(),
            Agent::Starting(_) | Agent::Up => self.wakeups.due_at(self.rests_since()),
        };
        self.instant(at?)
    }

    /// Whether a wake-up is so near that the session has to stay in memory.
    pub(super) fn wakes_soon(&self, now: Instant) -> bool {
        let soon = self.unix_ms(now).saturating_add(millis(NEAR));
        self.wakeups.needs_agent_at().is_some_and(|at| at <= soon)
    }

    /// Puts off the time from which the agent may rest, until after the wake-ups that need it.
    pub(super) fn unless_it_wakes(&self, at: Instant) -> Instant {
        let margin = self.config.hibernate_after.map_or(0, millis);
        let active = self.unix_ms(self.active_at);
        let from = self.wakeups.rests_from(self.unix_ms(at), margin, active);
        self.instant(from).map_or(at, |from| from.max(at))
    }

    /// When the agent came to rest; `None` while it works.
    fn rests_since(&self) -> Option<u64> {
        (!self.turns.is_running() && self.prompts.is_empty()).then(|| self.unix_ms(self.active_at))
    }

    /// The time of day, zero if it is not known.
    pub(super) fn unix_ms(&self, at: Instant) -> u64 {
        self.clock.map_or(0, |Clock { instant, unix_ms }| {
            let before = millis(instant.saturating_duration_since(at));
            (unix_ms + millis(at.saturating_duration_since(instant))).saturating_sub(before)
        })
    }

    /// The time of day when it was last set, which happens before each wake-up.
    pub(super) fn last_unix_ms(&self) -> u64 {
        self.clock.map_or(0, |clock| clock.unix_ms)
    }

    fn instant(&self, at: u64) -> Option<Instant> {
        let Clock { instant, unix_ms } = self.clock?;
        match at.checked_sub(unix_ms) {
            Some(later) => instant.checked_add(Duration::from_millis(later)),
            None => instant.checked_sub(Duration::from_millis(unix_ms - at)).or(Some(instant)),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}
