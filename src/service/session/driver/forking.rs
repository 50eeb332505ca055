//! The beginning of a session that is forked from another one.

use std::time::SystemTime;

use super::{
    Driver,
    begin::{Parts, config, new_row, open, up},
    now,
};
use crate::{
    agent::Agent,
    layers::resume::{EventLog, EventStream},
    metrics::Begun,
    proto::Session,
    service::{
        error::SessionError,
        registry::{
            sessions::{NewAgent, Sessions},
            slots::Slot,
        },
        session::{
            connection::AgentConnection,
            fork::{self, Source},
        },
    },
};

impl<A: Agent, L: EventLog> Driver<A, L> {
    /// Starts a session whose events and conversation begin as a copy. The agent copies the conversation when it
    /// starts, for which the session needs its row. Nothing is left if anything fails.
    pub(super) async fn start_fork(
        new: NewAgent<L::Stream>,
        source: Source<L::Stream>,
        mut connection: AgentConnection<A>,
        sessions: &Sessions<L>,
        slot: Slot,
    ) -> Result<Box<Self>, SessionError> {
        let NewAgent { spec, owner, title, budget_usd, .. } = new;
        let created_at = SystemTime::now();
        let stored = new_row(&spec, owner.as_deref(), title.as_deref(), created_at, sessions).await?;
        let id = spec.session_id.clone();
        let copied = async {
            let stream = open(sessions.log(), &id).await?;
            let begun = async {
                fork::copy(&source, &stream, &id).await?;
                up(&mut connection, &slot).await
            };
            begun.await.inspect_err(|_| stream.release()).map(|()| stream.clone())
        };
        let stream = match copied.await {
            Ok(stream) => stream,
            Err(error) => {
                connection.gone().await;
                discard(sessions, &id).await;
                return Err(error);
            }
        };
        let (now, messages) = (now(), source.beginning.messages.iter().map(String::as_str));
        let config = config(&spec, sessions.limits(), budget_usd, stored.is_some());
        let mut session = Session::forked(config, source.beginning.note(), messages, now);
        session.handle_started(now);
        let parts = Parts { session, spec, owner, title, created_at, connection, stream, stored };
        Self::assemble(parts, sessions, slot).begin(sessions, Begun::Created).await
    }
}

/// Deletes what there is of a session that did not come to be.
async fn discard<L: EventLog>(sessions: &Sessions<L>, id: &str) {
    let Some(persistence) = sessions.persistence() else {
        let _ = sessions.log().forget(id).await;
        return;
    };
    match persistence.catalog.tombstone(id).await {
        Ok(()) => persistence.erase(sessions.log(), id).await,
        Err(error) => tracing::warn!(session = id, %error, "a session that was not made has left its row"),
    }
}
