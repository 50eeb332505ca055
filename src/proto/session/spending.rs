//! What the session costs, and what happens when a budget is used up.

use std::time::Instant;

use super::{Agent, Session};
use crate::proto::{AgentCommand, Budget, DayCost, Exceeded, OutEvent};

const DAY_MS: u64 = 86_400_000;

/// The subtype of a turn that was interrupted because a budget was used up, as the agent names it.
const MAX_BUDGET: &str = "error_max_budget_usd";

/// The session's part of the ledger, and the budget that stops it.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// The current day, and the session's cost when it began.
    pub(super) day: u64,
    pub(super) before: f64,
    /// What a fork had cost when it was made, which is in the ledger already.
    pub(super) inherited: f64,
    exceeded: Option<Exceeded>,
    /// The running turn was interrupted for that.
    interrupted: bool,
}

impl Session {
    /// The session's cost on the current day, the running turn included as far as it is known.
    #[must_use]
    pub fn day_cost(&self) -> DayCost {
        let usd = self.cost.session() + self.cost.running() - self.spending.before;
        DayCost::new(self.spending.day, usd.max(0.0))
    }

    /// The session's own budget, in US dollars.
    #[must_use]
    pub fn budget_usd(&self) -> Option<f64> {
        self.config.budget_usd
    }

    /// Stops the session until the budget is free again: interrupts the turn and withdraws the messages that wait.
    pub fn exceed(&mut self, now: Instant, exceeded: Exceeded) {
        if self.closed || self.exceeded(now).is_some_and(|known| known.budget == exceeded.budget) {
            return;
        }
        self.spending.exceeded = Some(exceeded);
        self.emit(exceeded.event());
        self.interrupt_for_budget();
        self.withdraw_queue();
    }

    /// The budget that keeps a message from being run.
    pub(super) fn exceeded(&self, now: Instant) -> Option<Exceeded> {
        let unix_ms = self.unix_ms(now);
        let is_over = |exceeded: &Exceeded| exceeded.free_at_ms.is_none_or(|at| unix_ms < at);
        self.session_exceeded().or(self.spending.exceeded.filter(is_over))
    }

    fn session_exceeded(&self) -> Option<Exceeded> {
        let limit = self.config.budget_usd?;
        let spent = self.cost.session() + self.cost.running() - self.spending.inherited;
        (spent >= limit).then(|| Exceeded::new(Budget::Session, limit, None))
    }

    /// Takes the agent's total while a turn runs.
    pub(super) fn spent(&mut self, now: Instant, process_cost_usd: f64) {
        self.begin_day(now);
        self.cost.so_far(process_cost_usd, self.turns.is_running());
        self.check_session_budget();
    }

    /// Books the costs from now on to the day of this time.
    pub(super) fn begin_day(&mut self, now: Instant) {
        let day = self.unix_ms(now) / DAY_MS;
        if day > self.spending.day {
            (self.spending.day, self.spending.before) = (day, self.cost.session());
        }
    }

    pub(super) fn check_session_budget(&mut self) {
        let known = self.spending.exceeded.is_some_and(|known| known.budget == Budget::Session);
        if let Some(exceeded) = self.session_exceeded().filter(|_| !known) {
            self.spending.exceeded = Some(exceeded);
            self.emit(exceeded.event());
            self.interrupt_for_budget();
            self.withdraw_queue();
        }
    }

    /// Handles the begin of a turn that the agent began by itself.
    pub(super) fn stop_if_exceeded(&mut self, now: Instant) {
        if self.exceeded(now).is_some() {
            self.interrupt_for_budget();
        }
    }

    /// The subtype of the turn that ends now. A turn that was complete before the interrupt reached it stays what it is.
    pub(super) fn subtype_of_end<'a>(&mut self, subtype: &'a str) -> &'a str {
        let interrupted = std::mem::take(&mut self.spending.interrupted);
        if interrupted && subtype != "success" { MAX_BUDGET } else { subtype }
    }

    /// Withdraws the messages that wait.
    pub(super) fn withdraw_queue(&mut self) {
        for message_uuid in self.turns.clear() {
            self.emit(OutEvent::user_message_cancelled(&message_uuid));
        }
    }

    fn interrupt_for_budget(&mut self) {
        if self.turns.is_running() && !self.spending.interrupted && !matches!(self.agent, Agent::Down) {
            self.spending.interrupted = true;
            self.tell(AgentCommand::Interrupt);
        }
    }
}
