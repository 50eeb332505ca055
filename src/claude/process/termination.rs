//! The termination of a process: end of input, SIGTERM, SIGKILL, with a timeout between the steps.

use rustix::process::Signal;
use tokio::time::Instant;

use crate::claude::settings::Grace;

/// The state of a process between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The CLI has to answer the handshake before this deadline.
    Starting(Instant),
    /// The handshake is complete; the process is not being ended.
    Running,
    /// The input ends; SIGTERM follows at this deadline.
    InputEnded(Instant),
    /// SIGTERM was sent; SIGKILL follows at this deadline.
    Termed(Instant),
    /// SIGKILL was sent.
    Killed,
}

/// What to do when a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The handshake was not answered: close the process.
    GiveUpStart,
    /// Send this signal to the process group.
    Signal(Signal),
}

impl Termination {
    /// Returns the state of a process that was just started.
    pub(crate) fn starting(grace: &Grace) -> Self {
        Self::Starting(Instant::now() + grace.start)
    }

    /// Returns the state of a process whose input ends now.
    pub(crate) fn input_ended(grace: &Grace) -> Self {
        Self::InputEnded(Instant::now() + grace.input)
    }

    /// Returns when to call [`next_step`](Self::next_step). Changes with the state.
    pub(crate) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Starting(at) | Self::InputEnded(at) | Self::Termed(at) => Some(at),
            Self::Running | Self::Killed => None,
        }
    }

    /// Whether the handshake is not answered yet.
    pub(crate) const fn is_starting(self) -> bool {
        matches!(self, Self::Starting(_))
    }

    /// Whether the process is being ended.
    pub(crate) const fn is_closing(self) -> bool {
        !matches!(self, Self::Starting(_) | Self::Running)
    }

    /// Moves to the next step. Call it when the deadline has passed.
    pub(crate) fn next_step(&mut self, grace: &Grace) -> Step {
        match self {
            Self::Starting(_) => Step::GiveUpStart,
            Self::InputEnded(_) => {
                *self = Self::Termed(Instant::now() + grace.term);
                Step::Signal(Signal::TERM)
            }
            Self::Running | Self::Termed(_) | Self::Killed => {
                *self = Self::Killed;
                Step::Signal(Signal::KILL)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_step_has_its_time_and_all_fit_in_fifteen_seconds() {
        let (grace, start) = (Grace::default(), Instant::now());
        let mut termination = Termination::input_ended(&grace);
        let mut steps = Vec::new();
        while let Some(deadline) = termination.deadline() {
            tokio::time::sleep_until(deadline).await;
            steps.push((start.elapsed().as_secs(), termination.next_step(&grace)));
        }
        assert_eq!(steps, [(5, Step::Signal(Signal::TERM)), (10, Step::Signal(Signal::KILL))]);
        assert!(start.elapsed() + grace.leftovers < std::time::Duration::from_secs(15));
        assert!(termination.is_closing());
    }
}
