//! Sends notifications: one message for an owner becomes one for each of the owner's devices.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;

use super::{Shared, notification::Notification, subscription::Subscription};
use crate::{
    error_text::with_sources,
    layers::resume::Event,
    metrics,
    service::{notices::Noticed, open_prompts},
    storage::{catalog::CatalogError, subscriptions::Device},
    unix_ms,
    webhooks::{
        EventKind,
        attempt::{Answer, USER_AGENT, send},
        carrier::{Attempting, Carrier, Outcome},
        message::Message,
    },
};

/// Age at which a notification says nothing any more. It is also the time for which a push service keeps it.
const RETRY_FOR: Duration = Duration::from_secs(24 * 3600);

/// The name of the endpoint of an owner: `push`, or `push:` and the owner's name.
const OWNER: &str = "push";

/// The start of the name of a device's: `device:`, its id, and perhaps `:` and the owner's name.
const DEVICE: &str = "device:";

const TTL: HeaderName = HeaderName::from_static("ttl");
const URGENCY: HeaderName = HeaderName::from_static("urgency");
const TOPIC: HeaderName = HeaderName::from_static("topic");

/// Carries notifications.
pub(super) struct Pushes(pub(super) Arc<Shared>);

impl Carrier for Pushes {
    fn what(&self) -> &'static str {
        "a push"
    }

    fn about(&self, event: &Event, of: &Noticed<'_>) -> Vec<Message> {
        let Some(notification) = Notification::about(event, of) else { return Vec::new() };
        let endpoint = match of.owner {
            Some(owner) => format!("{OWNER}:{owner}"),
            None => OWNER.to_owned(),
        };
        vec![Message::new(endpoint, of.id, unix_ms::now(), notification.encode())]
    }

    fn carries(&self, endpoint: &str) -> bool {
        owner_in(endpoint, OWNER).is_some() || endpoint.starts_with(DEVICE)
    }

    fn retry_for(&self) -> Duration {
        RETRY_FOR
    }

    fn attempt<'a>(&'a self, message: &'a Message) -> Attempting<'a> {
        Box::pin(async move {
            // Written here, so another form is a newer version's.
            let Ok(mut notification) = serde_json::from_str::<Notification>(&message.body) else {
                return Outcome::Unknown;
            };
            notification.id.clone_from(&message.id);
            let outcome = match owner_in(&message.endpoint, OWNER) {
                Some(owner) => self.divide(message, &notification, owner).await,
                None => self.push(message, &notification).await,
            };
            outcome
                .unwrap_or_else(|error| Outcome::Failed { reason: with_sources(&error), retry_after: None })
        })
    }

    fn lost(&self, reason: &'static str, count: usize) {
        if count > 0 {
            metrics::pushes_lost(reason, count);
        }
    }
}

/// The owner in the name of an endpoint that is `start`, or `start`, `:` and the owner's name.
fn owner_in<'a>(endpoint: &'a str, start: &str) -> Option<Option<&'a str>> {
    let rest = endpoint.strip_prefix(start)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix(':').map(Some) }
}

impl Pushes {
    async fn divide(
        &self,
        message: &Message,
        notification: &Notification,
        owner: Option<&str>,
    ) -> Result<Outcome, CatalogError> {
        let devices = self.0.devices.of(owner).await?;
        let gets = |device: &&Device| {
            Subscription::decode(&device.subscription).is_some_and(|device| device.gets(notification.kind))
        };
        let part = |device: &Device| {
            let owner = owner.map(|owner| format!(":{owner}")).unwrap_or_default();
            message.part(&device.id, format!("{DEVICE}{}{owner}", device.id))
        };
        let parts: Vec<_> = devices.iter().filter(gets).map(part).collect();
        Ok(if parts.is_empty() { Outcome::Delivered } else { Outcome::Divided(parts) })
    }

    /// Whether there is still something to answer. What is stored says so exactly, because the events are stored with it.
    async fn is_open(
        &self,
        Notification { session_id, correlation_id, .. }: &Notification,
    ) -> Result<bool, CatalogError> {
        let (Some(catalog), Some(prompt)) = (&self.0.catalog, correlation_id) else { return Ok(true) };
        let Some(record) = catalog.find(session_id).await? else { return Ok(false) };
        Ok(open_prompts(&record).is_none_or(|open| open.contains(prompt)))
    }

    async fn push(&self, message: &Message, notification: &Notification) -> Result<Outcome, CatalogError> {
        let Shared { devices, services, client, contact, .. } = &*self.0;
        let name = message.endpoint.strip_prefix(DEVICE).unwrap_or_default();
        let (id, owner) = name.split_once(':').map_or((name, None), |(id, owner)| (id, Some(owner)));
        // Notifications may have been turned off since, or by now be another owner's.
        let Some(device) = devices.get(id).await?.filter(|device| device.owner.as_deref() == owner) else {
            return Ok(Outcome::Delivered);
        };
        if !self.is_open(notification).await? {
            return Ok(Outcome::Delivered);
        }
        let Some(subscription) = Subscription::decode(&device.subscription) else {
            return Ok(Outcome::Unknown);
        };
        // What is allowed may have changed since.
        let address = services.check(&subscription.endpoint);
        let (Ok((origin, uri)), Some(keys)) = (address, subscription.keys()) else {
            return Ok(Outcome::Refused("the device is at no push service that is allowed".to_owned()));
        };
        let Some(body) = keys.encrypt(notification.encode().as_bytes()) else {
            return Ok(Outcome::Refused("the notification is too long".to_owned()));
        };
        let left = RETRY_FOR.saturating_sub(message.age());
        let authorization =
            self.0.key().await?.authorization(&origin.to_string(), contact, SystemTime::now());
        let request = request(uri, authorization, notification, body, left);
        let since = Instant::now();
        let answer = send(client, request).await;
        metrics::push_attempted(answer == Answer::Taken, since.elapsed());
        Ok(match answer {
            Answer::Taken => Outcome::Delivered,
            Answer::Status { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. } => {
                devices.expire(&device).await?;
                tracing::info!(device = id, "a device takes no more notifications");
                Outcome::Delivered
            }
            Answer::Status { status, retry_after } if is_temporary(status) => {
                Outcome::Failed { reason: format!("the push service answered {status}"), retry_after }
            }
            // Redirects are not followed: they would lead to where nobody has allowed it.
            Answer::Status { status, .. } => Outcome::Refused(format!("the push service answered {status}")),
            Answer::None(reason) => Outcome::Failed { reason, retry_after: None },
        })
    }
}

fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
}

fn request(
    uri: Uri,
    authorization: HeaderValue,
    notification: &Notification,
    body: Vec<u8>,
    keep: Duration,
) -> Request<Full<Bytes>> {
    let urgency = if notification.kind == EventKind::Prompts { "high" } else { "normal" };
    let topic = HeaderValue::from_str(&notification.tag).expect("base64url is ASCII");
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::AUTHORIZATION, authorization);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(TTL, keep.as_secs().into());
    headers.insert(URGENCY, HeaderValue::from_static(urgency));
    headers.insert(TOPIC, topic);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_names_its_owner() {
        assert_eq!(owner_in("push", OWNER), Some(None));
        assert_eq!(owner_in("push:", OWNER), Some(Some("")));
        assert_eq!(owner_in("push:a:b", OWNER), Some(Some("a:b")));
        for other in ["pushy", "server", "owner:push", "device:1:ada"] {
            assert_eq!(owner_in(other, OWNER), None, "{other}");
        }
    }
}
