//! One attempt to send a webhook.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use tokio::time::timeout;
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use super::endpoint::Endpoint;
use crate::{error_text::with_sources, metrics};

/// Maximum time of an attempt, from the connection to the head of the answer.
const LONGEST: Duration = Duration::from_secs(10);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("agent-webkit/", env!("CARGO_PKG_VERSION")));

/// The HTTP client, of which only the status of an answer is needed.
pub(super) type HttpClient = BoxCloneSyncService<Request<Full<Bytes>>, StatusCode, BoxError>;

/// Boxes a client.
pub(super) fn boxed<C, B>(client: C) -> HttpClient
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: 'static,
{
    let status: fn(Response<B>) -> StatusCode = |response| response.status();
    let error: fn(C::Error) -> BoxError = Into::into;
    BoxCloneSyncService::new(client.map_response(status).map_err(error))
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) id: &'a str,
    pub(super) endpoint: &'a Endpoint,
    pub(super) body: &'a [u8],
}

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// The receiver does not take webhooks any more.
    Gone,
    /// With the reason, for the log. It does not name the URL.
    Failed(String),
}

impl Attempt<'_> {
    pub(super) async fn make(self, client: HttpClient) -> Outcome {
        let since = Instant::now();
        let answer = timeout(LONGEST, client.oneshot(self.request())).await;
        metrics::webhook_attempted(
            answer.as_ref().is_ok_and(|answer| is_taken(answer.as_ref().ok())),
            since.elapsed(),
        );
        match answer {
            Ok(Ok(status)) if status.is_success() => Outcome::Delivered,
            Ok(Ok(StatusCode::GONE)) => Outcome::Gone,
            // Redirects are not followed: only the operator chooses the address.
            Ok(Ok(status)) => Outcome::Failed(format!("the receiver answered {status}")),
            Ok(Err(error)) => Outcome::Failed(with_sources(&*error)),
            Err(_) => Outcome::Failed(format!("no answer within {} s", LONGEST.as_secs())),
        }
    }

    /// The request, signed with the time of this attempt.
    fn request(&self) -> Request<Full<Bytes>> {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = self.endpoint.secret.sign(self.id, timestamp, self.body);
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(self.body)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(ID, HeaderValue::from_str(self.id).expect("an id is ASCII"));
        headers.insert(TIMESTAMP, timestamp.into());
        headers.insert(SIGNATURE, HeaderValue::from_str(&signature).expect("base64 is ASCII"));
        request
    }
}

fn is_taken(status: Option<&StatusCode>) -> bool {
    status.is_some_and(StatusCode::is_success)
}
