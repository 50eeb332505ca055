//! Sends one request after the other, while events are read.

use agent_webkit::{
    client::{Error, HttpService, Session},
    proto::client::{ClientMessage, SessionInfo},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};

/// A request.
#[derive(Debug)]
enum Outgoing {
    Message(ClientMessage),
    Describe,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Report {
    Refused(Error),
    Described(Box<SessionInfo>),
}

/// Sends in the order in which it was asked to. Dropping it gives up what was not sent yet.
#[derive(Debug)]
pub(super) struct Sender {
    outgoing: UnboundedSender<Outgoing>,
    reports: UnboundedReceiver<Report>,
    sending: JoinHandle<()>,
}

impl Sender {
    pub(super) fn of(session: &Session<impl HttpService>) -> Self {
        // A person types; the channels stay short.
        let (outgoing, mut asked) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        let session = session.clone();
        let sending = tokio::spawn(async move {
            while let Some(request) = asked.recv().await {
                let outcome = match request {
                    Outgoing::Message(message) => session.send(&message).await.map(|()| None),
                    Outgoing::Describe => {
                        session.describe().await.map(|state| Some(Report::Described(Box::new(state))))
                    }
                };
                let told = outcome.unwrap_or_else(|error| Some(Report::Refused(error)));
                if told.is_some_and(|told| report.send(told).is_err()) {
                    return;
                }
            }
        });
        Self { outgoing, reports, sending }
    }

    pub(super) fn send(&self, message: ClientMessage) {
        // It fails only if the task has ended, which it does with this.
        let _ = self.outgoing.send(Outgoing::Message(message));
    }

    /// Asks for the session's state, after everything that was sent before.
    pub(super) fn describe(&self) {
        let _ = self.outgoing.send(Outgoing::Describe);
    }

    pub(super) async fn report(&mut self) -> Option<Report> {
        self.reports.recv().await
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.sending.abort();
    }
}
