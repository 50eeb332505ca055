//! Requests and their answers: credentials, errors, repetition.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Error, HttpService, Refused,
    credential::{Credential, Credentials},
    http::ResponseBody,
};
use crate::backoff::Backoff;

/// Maximum length of an answer that is no stream, in bytes. A list of sessions with their prompts may be long.
const MAX_ANSWER: usize = 64 << 20;

/// Which failures of a request allow to send it again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Repeat {
    /// Every temporary one: the request has the same effect however often it comes.
    Always,
    /// Every temporary one but 503.
    UnlessUnavailable,
    /// 503, which says that the request had no effect.
    IfUnavailable,
}

/// A server, and how a client talks to it. Clones share the credential.
#[derive(Clone, Debug)]
pub(super) struct Endpoint<S> {
    pub(super) http: S,
    pub(super) base: Uri,
    pub(super) credentials: Credentials,
    /// The time after which a request is given up.
    pub(super) patience: Duration,
    /// The time without a byte after which a stream's connection counts as dead.
    pub(super) silence: Duration,
    /// The first and the longest pause between two tries, without the random part.
    pub(super) pauses: (Duration, Duration),
}

/// A request that can be built again for each try.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Below the base, with its leading slash.
    pub(super) path: String,
    pub(super) header: Option<(&'static str, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method, path: path.into(), header: None, body: body.into() }
    }
}

impl<S: HttpService> Endpoint<S> {
    /// Sends a request until it has an answer that is not temporary, for at most the client's patience.
    pub(super) async fn answer(&self, call: &Call, repeat: Repeat) -> Result<Bytes, Error> {
        let deadline = Instant::now() + self.patience;
        let mut backoff = Backoff::jittered(self.pauses.0, self.pauses.1);
        loop {
            let once = async { whole(self.once(call).await?.into_body()).await };
            let error = match timeout_at(deadline, once).await {
                Ok(Ok(body)) => return Ok(body),
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(Error::Transport(
                        format!("no answer came within {:?}", self.patience).into(),
                    ));
                }
            };
            let unavailable = error.has_status(StatusCode::SERVICE_UNAVAILABLE);
            let repeated = match repeat {
                Repeat::Always => error.is_temporary(),
                Repeat::UnlessUnavailable => error.is_temporary() && !unavailable,
                Repeat::IfUnavailable => unavailable,
            };
            let pause = backoff.next_pause().max(error.retry_after().unwrap_or_default());
            if !repeated || deadline.saturating_duration_since(Instant::now()) < pause {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    /// As [`answer`](Self::answer), for an answer in JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call, repeat: Repeat) -> Result<T, Error> {
        let body = self.answer(call, repeat).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Protocol(format!("the answer on {} cannot be read: {error}", call.path)))
    }

    /// Sends a request, and after a 401 once more with another credential. Returns an answer with status 2xx.
    pub(super) async fn once(&self, call: &Call) -> Result<Response<ResponseBody>, Error> {
        let credential = self.credentials.current().await?;
        let refused = match self.with(call, credential.as_ref()).await {
            Err(error) if error.has_status(StatusCode::UNAUTHORIZED) => error,
            answered => return answered,
        };
        match self.credentials.instead_of(credential.as_ref()).await? {
            Some(renewed) => self.with(call, Some(&renewed)).await,
            None => Err(refused),
        }
    }

    async fn with(
        &self,
        call: &Call,
        credential: Option<&Credential>,
    ) -> Result<Response<ResponseBody>, Error> {
        let request = self.request(call, credential)?;
        let response = self.http.exchange(request).await.map_err(Error::Transport)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        // An answer whose body breaks off is still an answer.
        let body = whole(body).await.unwrap_or_default();
        Err(Refused::new(parts.status, &parts.headers, &body).into())
    }

    fn request(&self, call: &Call, credential: Option<&Credential>) -> Result<Request<Full<Bytes>>, Error> {
        let ticket = match credential {
            Some(Credential::Ticket(ticket)) => {
                let begin = if call.path.contains('?') { '&' } else { '?' };
                format!("{begin}ticket={}", escaped(ticket))
            }
            _ => String::new(),
        };
        let mut request = Request::builder().method(call.method.clone()).uri(self.uri(&call.path, &ticket)?);
        if let Some(Credential::Token(token)) = credential {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|error| Error::Credential(error.into()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value);
        }
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::new(call.body.clone())).expect("each part is valid"))
    }

    fn uri(&self, path: &str, query: &str) -> Result<Uri, Error> {
        let base = self.base.path().trim_end_matches('/');
        let mut parts = self.base.clone().into_parts();
        let path = format!("{base}{path}{query}");
        parts.path_and_query =
            Some(path.parse().map_err(|error| Error::Protocol(format!("{path} is not a path: {error}")))?);
        Uri::from_parts(parts).map_err(|error| Error::Protocol(format!("{path} has no URL: {error}")))
    }
}

/// Reads a body to its end.
async fn whole(mut body: ResponseBody) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame.map_err(Error::Transport)?.into_data().unwrap_or_default());
        if bytes.len() > MAX_ANSWER {
            return Err(Error::Protocol(format!("an answer is longer than {MAX_ANSWER} bytes")));
        }
    }
    Ok(bytes.freeze())
}

/// Encodes a text for a part of a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => escaped.push(byte.into()),
            b'.' if text != "." && text != ".." => escaped.push('.'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
