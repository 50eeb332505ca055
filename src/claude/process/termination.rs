//! The close termination: end of input, SIGTERM, SIGKILL, with time between them.

use rustix::process::Signal;
use tokio::time::Instant;

use crate::claude::settings::Grace;

/// How far a process is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The handshake has to be answered by then.
    Starting(Instant),
    /// Nobody wants it to end.
    Running,
    /// It gets no more input; SIGTERM is next.
    InputEnded(Instant),
    /// SIGTERM was sent; SIGKILL is next.
    Termed(Instant),
    /// There is nothing more to be done.
    Killed,
}

/// What has to be done when a deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It never started: close it.
    GiveUpStart,
    /// Send this to its group.
    Signal(Signal),
}

impl Termination {
    /// It was just started.
    pub(crate) fn starting(grace: &Grace) -> Self {
        Self::Starting(Instant::now() + grace.start)
    }

    /// Its input has just ended.
    pub(crate) fn input_ended(grace: &Grace) -> Self {
        Self::InputEnded(Instant::now() + grace.input)
    }

    /// When [`climb`](Self::climb) has to be called. Ask again after every change.
    pub(crate) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Starting(at) | Self::InputEnded(at) | Self::Termed(at) => Some(at),
            Self::Running | Self::Killed => None,
        }
    }

    /// The handshake is not done.
    pub(crate) const fn is_starting(self) -> bool {
        matches!(self, Self::Starting(_))
    }

    /// It is asked to end.
    pub(crate) const fn is_closing(self) -> bool {
        !matches!(self, Self::Starting(_) | Self::Running)
    }

    /// The deadline passed: goes to the next step.
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
