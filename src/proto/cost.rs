//! The cost of turns. Agents report a running total; clients add up the turns.

use super::TurnEnd;

/// Converts the running total of the agent's process into a cost per turn.
#[derive(Debug, Default)]
pub(super) struct Cost {
    /// The total of the process when the running turn began; `None` before its first report.
    process: Option<f64>,
    session: f64,
    /// The cost of the running turn, as far as it is known.
    running: f64,
}

impl Cost {
    /// Returns the cost of the turn that ended, if the agent reported enough to know it.
    pub(super) fn turn(&mut self, end: &TurnEnd) -> Option<f64> {
        let since_last =
            end.process_cost_usd.map(|total| Self::since(total, self.process.unwrap_or_default()));
        self.process = end.process_cost_usd.or(self.process);
        self.running = 0.0;
        let turn = end.turn_cost_usd.or(since_last)?;
        self.session = round(self.session + turn);
        Some(round(turn))
    }

    /// Takes the total of the process while a turn runs. The first report of a process that resumed a conversation has
    /// what earlier ones have cost.
    pub(super) fn so_far(&mut self, total: f64, in_turn: bool) {
        match self.process {
            Some(before) if in_turn => self.running = round(Self::since(total, before)),
            _ => self.process = Some(total),
        }
    }

    /// The cost of the running turn, as far as it is known.
    pub(super) fn running(&self) -> f64 {
        self.running
    }

    /// Ends the running turn without a report of the agent. Returns its cost, as far as it is known.
    pub(super) fn abort(&mut self) -> f64 {
        let turn = std::mem::take(&mut self.running);
        self.process = self.process.map(|process| process + turn);
        self.session = round(self.session + turn);
        turn
    }

    /// A total that has fallen was reset meanwhile.
    fn since(total: f64, before: f64) -> f64 {
        if total < before { total } else { total - before }
    }

    /// The total of all turns.
    pub(super) fn session(&self) -> f64 {
        self.session
    }

    /// Continues from the cost of a restored session.
    pub(super) fn restore(&mut self, session: f64, running: f64) {
        (self.session, self.running) = (session, running);
    }

    /// Resets the total of the process, because another process counts from zero.
    pub(super) fn new_process(&mut self) {
        self.process = None;
        self.running = 0.0;
    }
}

/// Rounds off the error of floating-point subtraction, which is far below a millionth of a cent.
fn round(usd: f64) -> f64 {
    (usd * 1e12).round() / 1e12
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(turn: Option<f64>, process: Option<f64>) -> TurnEnd {
        TurnEnd {
            subtype: "success".into(),
            turn_cost_usd: turn,
            process_cost_usd: process,
            unprompted: false,
            extra: Vec::new(),
        }
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn turns_sum_up_to_the_session() {
        let mut cost = Cost::default();
        let totals = [0.00022, 0.00044, 0.00044].map(|total| cost.turn(&end(None, Some(total))));
        assert_eq!(totals, [Some(0.00022), Some(0.00022), Some(0.0)]);
        cost.new_process();
        assert_eq!(cost.turn(&end(None, Some(0.00011))), Some(0.00011));
        assert_eq!(cost.turn(&end(None, None)), None);
        assert_eq!(cost.session(), 0.00055);
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn a_running_turn_is_known_before_its_end() {
        let mut cost = Cost::default();
        cost.so_far(0.5, true);
        assert_eq!(cost.running(), 0.0, "what an earlier process has cost");
        cost.so_far(0.75, true);
        assert_eq!((cost.running(), cost.session()), (0.25, 0.0));
        assert_eq!(cost.turn(&end(None, Some(1.0))), Some(0.5));
        assert_eq!((cost.running(), cost.session()), (0.0, 0.5));
        cost.so_far(1.25, true);
        assert_eq!((cost.abort(), cost.session()), (0.25, 0.75));
        cost.so_far(1.5, true);
        assert_eq!(cost.running(), 0.25);
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn the_turns_own_figure_wins_over_a_total_that_a_resumed_process_inherited() {
        let mut cost = Cost::default();
        assert_eq!(cost.turn(&end(Some(0.00022), Some(0.00066))), Some(0.00022));
        assert_eq!(cost.session(), 0.00022);
    }
}
