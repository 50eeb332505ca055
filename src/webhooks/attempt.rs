//! One attempt to send a webhook.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, response::Parts};
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
pub(crate) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("agent-webkit/", env!("CARGO_PKG_VERSION")));

/// The HTTP client, of whose answers only the head is needed: bodies are dropped unread.
pub(crate) type HttpClient = BoxCloneSyncService<Request<Full<Bytes>>, Parts, BoxError>;

/// Boxes a client.
pub(crate) fn boxed<C, B>(client: C) -> HttpClient
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: 'static,
{
    let head: fn(Response<B>) -> Parts = |response| response.into_parts().0;
    let error: fn(C::Error) -> BoxError = Into::into;
    BoxCloneSyncService::new(client.map_response(head).map_err(error))
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status of the 200s.
    Taken,
    /// Another status, and the pause that the receiver asks for.
    Status { status: StatusCode, retry_after: Option<Duration> },
    /// No answer, with the reason for the log. It does not name the URL.
    None(String),
}

/// Sends one request, within the time of an attempt.
pub(crate) async fn send(client: &HttpClient, request: Request<Full<Bytes>>) -> Answer {
    match timeout(LONGEST, client.clone().oneshot(request)).await {
        Ok(Ok(head)) if head.status.is_success() => Answer::Taken,
        Ok(Ok(head)) => Answer::Status { status: head.status, retry_after: retry_after(&head.headers) },
        Ok(Err(error)) => Answer::None(with_sources(&*error)),
        Err(_) => Answer::None(format!("no answer within {} s", LONGEST.as_secs())),
    }
}

/// The pause in seconds; that of a date is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) id: &'a str,
    pub(super) endpoint: &'a Endpoint,
    pub(super) body: &'a [u8],
}

impl Attempt<'_> {
    pub(super) async fn make(self, client: &HttpClient) -> Answer {
        let since = Instant::now();
        let answer = send(client, self.request()).await;
        metrics::webhook_attempted(answer == Answer::Taken, since.elapsed());
        answer
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
