//! Requests of the checks, each sent once as it is.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::{
    Target,
    frames::Frames,
    report::{Verdict, expect, failed},
};
use crate::client::{HttpService, ResponseBody};

/// Length up to which a body that is no stream is read, in bytes.
const MAX_BODY: usize = 16 << 20;

/// A target and the HTTP client to it.
#[derive(Debug)]
pub(super) struct Probe<'a, S> {
    http: S,
    pub(super) target: &'a Target,
}

/// A request below the target's URL.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    anonymous: bool,
}

impl Ask {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Bytes::new(), anonymous: false }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>, body: &(impl ToString + ?Sized)) -> Self {
        Self { body: body.to_string().into(), ..Self::new(Method::POST, path) }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Without the token.
    pub(super) fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }
}

/// An answer that is no stream.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Verdict<Value> {
        serde_json::from_slice(&self.body)
            .or_else(|_| failed(format!("the body is not JSON: {}", self.text())))
    }

    pub(super) fn is(&self, status: u16) -> Verdict {
        expect(self.status == status, || format!("{}: {}", self.status, self.text()))
    }

    /// It refuses with this status and a sentence, which it returns.
    pub(super) fn refuses(&self, status: u16) -> Verdict<String> {
        self.is(status)?;
        match self.json()?.get("detail").and_then(Value::as_str) {
            Some(detail) if !detail.is_empty() => Ok(detail.to_owned()),
            _ => failed(format!("{status} without a \"detail\": {}", self.text())),
        }
    }

    /// It refuses with a sentence that names something.
    pub(super) fn refuses_naming(&self, status: u16, name: &str) -> Verdict {
        let detail = self.refuses(status)?;
        expect(detail.contains(name), || format!("the detail does not name {name:?}: {detail}"))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

/// An answer, or a stream of events.
pub(super) enum Opened {
    Stream(HeaderMap, Frames),
    Answer(Answer),
}

impl<'a, S: HttpService> Probe<'a, S> {
    pub(super) fn new(http: S, target: &'a Target) -> Self {
        Self { http, target }
    }

    /// Sends a request and reads the answer whole.
    pub(super) async fn send(&self, ask: Ask) -> Verdict<Answer> {
        let (parts, body) = self.exchange(ask).await?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body: whole(body).await? })
    }

    /// Sends a request that a stream may answer.
    pub(super) async fn open(&self, ask: Ask) -> Verdict<Opened> {
        let (parts, body) = self.exchange(ask.header("accept", "text/event-stream")).await?.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if parts.status == StatusCode::OK && kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(Opened::Stream(parts.headers, Frames::new(body)));
        }
        Ok(Opened::Answer(Answer { status: parts.status, headers: parts.headers, body: whole(body).await? }))
    }

    /// As [`open`](Self::open), where only a stream is right.
    pub(super) async fn stream(&self, ask: Ask) -> Verdict<Frames> {
        match self.open(ask).await? {
            Opened::Stream(_, frames) => Ok(frames),
            Opened::Answer(answer) => {
                failed(format!("the answer is no event stream: {}: {}", answer.status, answer.text()))
            }
        }
    }

    async fn exchange(&self, ask: Ask) -> Verdict<http::Response<ResponseBody>> {
        let mut request = Request::builder().method(ask.method).uri(self.uri(&ask.path)?);
        if let (Some(token), false) = (&self.target.token, ask.anonymous) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !ask.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        match request.body(Full::new(ask.body)) {
            Ok(request) => {
                self.http.exchange(request).await.or_else(|error| failed(format!("no answer: {error}")))
            }
            Err(error) => failed(format!("the request cannot be built: {error}")),
        }
    }

    /// The URL of a path below the target. An empty path is the target itself.
    fn uri(&self, path: &str) -> Verdict<Uri> {
        if path.is_empty() {
            return Ok(self.target.url.clone());
        }
        let mut parts = self.target.url.clone().into_parts();
        let base = self.target.url.path().trim_end_matches('/');
        let Ok(path) = format!("{base}{path}").parse() else { return failed(format!("{path} is no path")) };
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).or_else(|error| failed(format!("the URL is not usable: {error}")))
    }
}

async fn whole(mut body: ResponseBody) -> Verdict<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => return failed(format!("the body breaks off: {error}")),
        }
        expect(bytes.len() <= MAX_BODY, || format!("the body is longer than {MAX_BODY} bytes"))?;
    }
    Ok(bytes.freeze())
}
