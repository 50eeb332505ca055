//! Who reads the session: the agent is told when nobody does, so that it can send its pieces joined.

use std::time::{Duration, Instant};

use super::{Agent, Session};
use crate::proto::{AgentCommand, Output};

/// Time after which a reader that has left is not expected back at once. Clients reconnect within two seconds.
const LEFT: Duration = Duration::from_secs(2);

/// The readers of a session, as its event log reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Number of attached readers.
    pub readers: usize,
    /// When a reader last detached.
    pub last_detached: Option<Instant>,
}

impl Session {
    /// Handles who reads the session now. Call it with events of the agent, and when a reader comes after
    /// [`AgentCommand::Watched`] has said that there is none.
    pub fn handle_presence(&mut self, now: Instant, presence: Presence) {
        let left = presence.last_detached.is_none_or(|at| now >= at + LEFT);
        let unwatched = presence.readers == 0 && left;
        if !matches!(self.agent, Agent::Up)
            || unwatched == self.told_unwatched
            || (unwatched && !self.is_busy())
        {
            return;
        }
        self.told_unwatched = unwatched;
        self.outputs.push_back(Output::Command(AgentCommand::Watched { watched: !unwatched }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Inbound, SessionConfig, WhenIdle};

    const NOBODY: Presence = Presence { readers: 0, last_detached: None };
    const SOMEBODY: Presence = Presence { readers: 1, last_detached: None };

    fn session(now: Instant) -> Session {
        let config = SessionConfig {
            session_id: "s".into(),
            model: None,
            permission_mode: None,
            idle_timeout: Duration::from_secs(300),
            when_idle: WhenIdle::Release,
            hibernate_after: None,
            queue_limit: 1,
            budget_usd: None,
        };
        Session::new(config, now)
    }

    fn message(session: &mut Session, now: Instant, uuid: &str) {
        let message = Inbound::parse(br#"{"type":"user_message","content":"x"}"#).unwrap();
        session.handle_input(now, message, None, uuid.into()).unwrap();
    }

    /// What the agent is told of the readers.
    fn told(session: &mut Session) -> Vec<bool> {
        let outputs = std::iter::from_fn(|| session.poll_output());
        outputs
            .filter_map(|output| match output {
                Output::Command(AgentCommand::Watched { watched }) => Some(watched),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_agent_is_told_each_change_once_while_it_works() {
        let now = Instant::now();
        let mut session = session(now);
        session.handle_presence(now, NOBODY);
        session.handle_started(now);
        session.handle_presence(now, NOBODY);
        assert!(told(&mut session).is_empty(), "nothing runs");

        message(&mut session, now, "u");
        session.handle_presence(now, SOMEBODY);
        session.handle_presence(now, NOBODY);
        session.handle_presence(now, NOBODY);
        session.handle_presence(now, SOMEBODY);
        session.handle_presence(now, SOMEBODY);
        assert_eq!(told(&mut session), [false, true]);

        let just_left = Presence { readers: 0, last_detached: Some(now) };
        session.handle_presence(now + LEFT / 2, just_left);
        assert!(told(&mut session).is_empty(), "it may come back");
        session.handle_presence(now + LEFT, just_left);
        assert_eq!(told(&mut session), [false]);
    }

    #[test]
    fn a_new_agent_is_told_again() {
        let now = Instant::now();
        let mut session = session(now);
        session.handle_started(now);
        message(&mut session, now, "u");
        session.handle_presence(now, NOBODY);
        session.handle_start_failed(now, "it crashed");
        message(&mut session, now, "v");
        session.handle_started(now);
        session.handle_presence(now, NOBODY);
        assert_eq!(told(&mut session), [false, false]);
    }
}
