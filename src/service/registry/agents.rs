//! Starts the sessions of one agent, with an agent that was started ahead where there is one.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    sessions::{NewAgent, Owned, Sessions, Started, Starter},
    slots::Slot,
    warm::Warm,
};
use crate::{
    agent::Agent,
    layers::resume::EventLog,
    service::{
        error::SessionError,
        session::{connection::AgentConnection, driver::Driver, live::Live},
    },
};

/// The [`Starter`] of an agent.
pub(crate) struct Agents<A> {
    agent: A,
    warm: Arc<Warm<A>>,
}

impl<A: Agent> Agents<A> {
    pub(crate) fn new(agent: A, warm: Warm<A>) -> Self {
        Self { agent, warm: Arc::new(warm) }
    }
}

impl<A: Agent, L: EventLog> Starter<L> for Agents<A> {
    fn create(&self, sessions: Sessions<L>, mut new: NewAgent<L::Stream>, slot: Slot) -> Started<L> {
        let (agent, warm) = (self.agent.clone(), Arc::clone(&self.warm));
        Box::pin(async move {
            let connection = match warm.claim(&mut new.spec).await {
                Some(connection) => connection,
                None => AgentConnection::starting(agent, new.spec.clone()),
            };
            drop(warm);
            started(new, connection, sessions, slot).await
        })
    }

    fn restore(&self, sessions: Sessions<L>, owned: Owned, slot: Slot) -> Started<L> {
        let agent = self.agent.clone();
        Box::pin(async move {
            let driver = Driver::restore(owned, agent, &sessions, slot).await?;
            let live = Arc::clone(driver.live());
            tokio::spawn(driver.run());
            Ok(live)
        })
    }

    fn start_ahead(&self) {
        self.warm.start_filling();
    }
}

/// Starts a session in a task of its own, so that the start completes even if nobody waits for it any more. Such a
/// session is cancelled.
async fn started<A: Agent, L: EventLog>(
    new: NewAgent<L::Stream>,
    connection: AgentConnection<A>,
    sessions: Sessions<L>,
    slot: Slot,
) -> Result<Live<L>, SessionError> {
    let (answer, started) = oneshot::channel();
    // Boxed, so that the session's task does not keep the memory of the start for as long as it lives.
    let starting = Box::pin(async move {
        match Driver::start(new, connection, &sessions, slot).await {
            Ok(driver) => {
                if answer.send(Ok(Arc::clone(driver.live()))).is_err() {
                    driver.cancel();
                }
                Some(driver)
            }
            Err(error) => {
                let _ = answer.send(Err(error));
                None
            }
        }
    });
    tokio::spawn(async move {
        let Some(driver) = starting.await else { return };
        driver.run().await;
    });
    started.await.unwrap_or_else(|_| Err(SessionError::unavailable("the session could not be created")))
}
