//! What a turn costs: agents count up, clients sum.

/// Turns the agent's cumulative figure into one per turn.
#[derive(Debug, Default)]
pub(super) struct Cost {
    process: f64,
    session: f64,
}

impl Cost {
    /// The cost of the turn that ended, given what the agent's process has cost so far.
    pub(super) fn turn(&mut self, process: f64) -> f64 {
        let turn = if process < self.process { process } else { process - self.process };
        self.process = process;
        self.session = round(self.session + turn);
        round(turn)
    }

    /// The sum of all turns.
    pub(super) fn session(&self) -> f64 {
        self.session
    }

    /// Another process counts from zero.
    pub(super) fn new_process(&mut self) {
        self.process = 0.0;
    }
}

/// Without the noise that subtraction leaves behind, far below a millionth of a cent.
fn round(usd: f64) -> f64 {
    (usd * 1e12).round() / 1e12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)]
    fn turns_sum_up_to_the_session() {
        let mut cost = Cost::default();
        assert_eq!([cost.turn(0.00022), cost.turn(0.00044), cost.turn(0.00044)], [0.00022, 0.00022, 0.0]);
        cost.new_process();
        assert_eq!(cost.turn(0.00011), 0.00011);
        assert_eq!(cost.session(), 0.00055);
    }
}
