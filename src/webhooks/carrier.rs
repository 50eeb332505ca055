//! The seam to what carries messages: webhooks, and whatever else reports events to those who read no stream.

use std::{pin::Pin, sync::Arc, time::Duration};

use super::{
    attempt::{Answer, Attempt, HttpClient},
    endpoint::Endpoints,
    link::Links,
    message::Message,
};
use crate::{layers::resume::Event, metrics, service::notices::Noticed};

/// A carrier chosen at run time.
pub(crate) type AnyCarrier = Arc<dyn Carrier>;

/// One attempt.
pub(crate) type Attempting<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Makes messages about events, and carries them to their endpoints.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// What it carries, for the log: `a webhook`.
    fn what(&self) -> &'static str;

    /// The messages about an event. Nothing here may wait: a session calls it between two events.
    fn about(&self, event: &Event, of: &Noticed<'_>) -> Vec<Message>;

    /// Whether it carries messages to the endpoint of this name, or has done so.
    fn carries(&self, endpoint: &str) -> bool;

    /// Age at which a message is given up.
    fn retry_for(&self) -> Duration;

    /// Makes one attempt.
    fn attempt<'a>(&'a self, message: &'a Message) -> Attempting<'a>;

    /// Counts messages that are not sent: `given_up` or `queue_full`.
    fn lost(&self, reason: &'static str, count: usize);
}

/// How an attempt went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Delivered,
    /// These messages take its place.
    #[cfg_attr(not(feature = "push"), allow(dead_code, reason = "a webhook has one receiver"))]
    Divided(Vec<Message>),
    /// This host does not have the endpoint now.
    Unknown,
    /// It makes no sense to try again, with the reason for the log. It does not name the URL.
    Refused(String),
    /// With the reason for the log, and the pause that the receiver asks for.
    Failed {
        reason: String,
        retry_after: Option<Duration>,
    },
}

/// Webhooks.
pub(super) struct Hooks {
    pub(super) links: Links,
    pub(super) client: HttpClient,
    pub(super) retry_for: Duration,
}

impl Carrier for Hooks {
    fn what(&self) -> &'static str {
        "a webhook"
    }

    fn about(&self, event: &Event, of: &Noticed<'_>) -> Vec<Message> {
        Message::about(event, of, &self.links.endpoints, &self.links)
    }

    fn carries(&self, endpoint: &str) -> bool {
        Endpoints::is_name(endpoint)
    }

    fn retry_for(&self) -> Duration {
        self.retry_for
    }

    fn attempt<'a>(&'a self, message: &'a Message) -> Attempting<'a> {
        Box::pin(async move {
            let Some(endpoint) = self.links.endpoints.get(&message.endpoint) else { return Outcome::Unknown };
            let attempt = Attempt { id: &message.id, endpoint: &endpoint, body: message.body.as_bytes() };
            match attempt.make(&self.client).await {
                Answer::Taken => Outcome::Delivered,
                Answer::Status { status: http::StatusCode::GONE, .. } => {
                    Outcome::Refused("the receiver answered 410".to_owned())
                }
                // Redirects are not followed: only the operator chooses the address.
                Answer::Status { status, retry_after } => {
                    Outcome::Failed { reason: format!("the receiver answered {status}"), retry_after }
                }
                Answer::None(reason) => Outcome::Failed { reason, retry_after: None },
            }
        })
    }

    fn lost(&self, reason: &'static str, count: usize) {
        if count > 0 {
            metrics::webhooks_lost(reason, count);
        }
    }
}
