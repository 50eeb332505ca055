//! The cost of turns. Agents report a running total; clients add up the turns.

use super::TurnEnd;

/// Converts the running total of the agent's process into a cost per turn.
#[derive(Debug, Default)]
pub(super) struct Cost {
    process: f64,
    session: f64,
}

impl Cost {
    /// Returns the cost of the turn that ended, if the agent reported enough to know it.
    pub(super) fn turn(&mut self, end: &TurnEnd) -> Option<f64> {
        // A total that has fallen was reset meanwhile.
        let since_last =
            end.process_cost_usd.map(|total| if total < self.process { total } else { total - self.process });
        self.process = end.process_cost_usd.unwrap_or(self.process);
        let turn = end.turn_cost_usd.or(since_last)?;
        self.session = round(self.session + turn);
        Some(round(turn))
    }

    /// The total of all turns.
    pub(super) fn session(&self) -> f64 {
        self.session
    }

    /// Continues from the cost of a restored session.
    pub(super) fn restore(&mut self, session: f64) {
        self.session = session;
    }

    /// Resets the total of the process, because another process counts from zero.
    pub(super) fn new_process(&mut self) {
        self.process = 0.0;
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
    fn the_turns_own_figure_wins_over_a_total_that_a_resumed_process_inherited() {
        let mut cost = Cost::default();
        assert_eq!(cost.turn(&end(Some(0.00022), Some(0.00066))), Some(0.00022));
        assert_eq!(cost.session(), 0.00022);
    }
}
