//! The end of a session on this host.

use std::time::Duration;

use tokio::time::timeout;

use super::Driver;
use crate::{
    agent::Agent,
    error_text::with_sources,
    layers::resume::{EventLog, EventStream},
    metrics,
    service::session::{live::End, stream_end::all_read},
};

/// Maximum time to wait for the agent when a session is handed over.
const WAIT_FOR_AGENT: Duration = Duration::from_secs(12);

impl<A: Agent, L: EventLog> Driver<A, L> {
    /// Ends the session on this host. What remains of it depends on `end`.
    pub(crate) async fn finish(mut self: Box<Self>, end: End) {
        tracing::info!(session = &*self.live.id, ?end, "session ended on this host");
        self.metrics.ended(self.reason(end));
        self.slot.session_ended();
        // Before the stream ends, so that its readers learn why.
        let _ = self.live.end.set(end);
        // An append may have been cut off in the middle.
        self.covers.send_replace(u64::MAX);
        match (end, self.lease_guard.is_some()) {
            (End::Closed, _) | (End::LogLost, false) => self.close().await,
            (End::Fenced, _) => {
                metrics::lease_lost();
                tracing::warn!(session = &*self.live.id, "another host has taken the session over");
                self.connection.abort();
                self.hand_over().await;
            }
            (End::Released | End::Suspended | End::LogLost, _) => self.hand_over().await,
        }
    }

    fn reason(&self, end: End) -> &'static str {
        match end {
            End::Closed if self.slot.cancel.is_cancelled() => "closed",
            End::Closed => "idle",
            End::Released => "released",
            End::Suspended => "suspended",
            End::Fenced => "taken_over",
            End::LogLost => "log_lost",
        }
    }

    /// Ends the streams, waits until the agent is gone and the readers have read the last events, and deletes
    /// everything.
    async fn close(self: Box<Self>) {
        let Self { connection, stream, mailbox, registration, lease_guard, sessions, slot, live, .. } = *self;
        // The stream closes before the mailbox: `Sessions::close` waits for the mailbox, and then the streams
        // have ended.
        stream.0.close();
        drop((registration, mailbox));
        tokio::join!(connection.gone(), all_read(&live.stream));
        drop(stream);
        let (id, log) = (&*live.id, sessions.log());
        if let Some(lease_guard) = lease_guard {
            let persistence = lease_guard.persistence();
            if let Some(inbox) = persistence.inbox() {
                // Its place is free. Only a shutdown waits for the rest.
                let _task = sessions.tasks().token();
                drop(slot);
                // Hosts that follow the stream may not have looked at its end yet.
                let looked = tokio::time::sleep(2 * inbox.wake().poll_every());
                sessions.ending().run_until_cancelled(looked).await;
                persistence.erase(log, id).await;
                return;
            }
            persistence.erase(log, id).await;
        } else if let Err(error) = log.forget(id).await {
            tracing::warn!(
                session = id,
                error = with_sources(&error),
                "failed to delete the stream of an ended session"
            );
        }
        drop(slot);
    }

    /// Releases everything, so that the session can be restored here or on another host.
    async fn hand_over(self: Box<Self>) {
        let Self { connection, stream, mailbox, registration, lease_guard, slot, live, .. } = *self;
        drop((stream, registration));
        // After the registration is dropped, because the sender of each input now looks the session up again.
        for mail in mailbox.close() {
            mail.release();
        }
        drop(live);
        // Transcript entries are written under the lease, so the lease is released after the agent is gone.
        if timeout(WAIT_FOR_AGENT, connection.gone()).await.is_err() {
            tracing::warn!("the agent of a released session has not ended in time");
        }
        if let Some(lease_guard) = lease_guard {
            lease_guard.release().await;
        }
        drop(slot);
    }
}
