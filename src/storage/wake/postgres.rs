//! Hints by `NOTIFY`. They are heard on the connection that holds the host's lock: see `presence`.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Outgoing, Wake,
    hints::Message,
    messenger::{Messenger, said},
};
use crate::{error_text::with_sources, storage::database::Postgres};

/// The channel of all hosts.
pub(super) const CHANNEL: &str = "agent_webkit";

/// Maximum time for a call.
const CALL: Duration = Duration::from_secs(5);

/// In a statement of its own: `NOTIFY` locks the whole database until its transaction has committed.
const SAY: &str = "select pg_notify($1, $2)";

/// Speaks to all hosts of a Postgres server.
#[derive(Debug)]
pub(in crate::storage) struct Notifications {
    server: Postgres,
    wake: Wake,
}

impl Notifications {
    pub(in crate::storage) const fn new(server: Postgres, wake: Wake) -> Self {
        Self { server, wake }
    }

    async fn notify(&self, message: &Message) -> sqlx::Result<()> {
        let mut link = self.server.link().await?;
        sqlx::query(SAY).bind(CHANNEL).bind(message.encode()).execute(&mut *link).await?;
        link.done().await
    }
}

impl Messenger for Notifications {
    async fn say(&mut self, mut outgoing: Outgoing) {
        while let Some(message) = Message::of(self.wake.host(), &mut outgoing.hints) {
            let notified = timeout(CALL, self.notify(&message)).await;
            match &notified {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(error = with_sources(error), "failed to send hints"),
                Err(_) => tracing::debug!("failed to send hints in time"),
            }
            said(message.hints.len(), matches!(notified, Ok(Ok(()))));
        }
    }
}
