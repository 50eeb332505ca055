//! An HTTP client for the routes of the protocol.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use super::{Events, events::PATIENCE};

/// A client of a server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    token: Option<String>,
    http: Http<HttpConnector, Full<Bytes>>,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// A client for HTTP/1.1. Each request has its own connection, so that none fails on a connection that
    /// closes.
    pub(crate) fn new(base: &str, token: Option<&str>) -> Self {
        let http = Http::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self::over(http, base, token)
    }

    /// A client for HTTP/2 with prior knowledge.
    pub(crate) fn http2(base: &str, token: Option<&str>) -> Self {
        Self::over(Http::builder(TokioExecutor::new()).http2_only(true).build_http(), base, token)
    }

    fn over(http: Http<HttpConnector, Full<Bytes>>, base: &str, token: Option<&str>) -> Self {
        Self { base: base.to_owned(), token: token.map(str::to_owned), http }
    }

    /// The same client with another token, or none.
    pub(crate) fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Sends a request with further headers and returns the response once its head has arrived.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let request = self.request(method, path, headers, body);
        let answer = tokio::time::timeout(PATIENCE, self.http.request(request)).await;
        answer
            .unwrap_or_else(|_| panic!("no answer on {path}"))
            .unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// Sends a request; `None` if there is no response, as during a restart of the server.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Option<Response<Incoming>> {
        tokio::time::timeout(PATIENCE, self.http.request(self.request(method, path, headers, body)))
            .await
            .unwrap_or_else(|_| panic!("no answer on {path}"))
            .ok()
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        Reply::from(self.send(method, path, headers, body).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn delete(&self, id: &str) -> Reply {
        self.ask(Method::DELETE, &format!("/sessions/{id}"), &[], "").await
    }

    /// Posts a text as it is.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.ask(Method::POST, path, &[], body).await
    }

    /// Requests a new session.
    pub(crate) async fn create(&self, body: &Value) -> Reply {
        self.post("/sessions", body.to_string()).await
    }

    /// Creates a session and returns its id. Panics on an error.
    pub(crate) async fn created(&self, body: &Value) -> String {
        let reply = self.create(body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["session_id"].as_str().expect("an id").to_owned()
    }

    /// Posts a message to a session.
    pub(crate) async fn input(&self, id: &str, message: &Value) -> Reply {
        self.post(&format!("/sessions/{id}/input"), message.to_string()).await
    }

    /// Opens a session's stream from the oldest event on.
    pub(crate) async fn events(&self, id: &str) -> Events {
        self.resume(id, None).await
    }

    /// Opens a session's stream after this event.
    pub(crate) async fn events_after(&self, id: &str, last: u64) -> Events {
        self.resume(id, Some(last)).await
    }

    pub(crate) async fn resume(&self, id: &str, last: Option<u64>) -> Events {
        let last = last.map(|last| last.to_string());
        let response = self.stream(id, last.as_deref()).await;
        assert_eq!(response.status(), 200, "after {last:?}: {:?}", Reply::from(response).await);
        Events::new(response.into_body())
    }

    /// Requests a session's stream with this `Last-Event-ID`.
    pub(crate) async fn stream(&self, id: &str, last: Option<&str>) -> Response<Incoming> {
        let headers: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
        self.send(Method::GET, &format!("/sessions/{id}/stream"), &headers, "").await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body.into())).expect("the test's own request")
    }
}

impl Reply {
    /// Reads the response to its end.
    pub(crate) async fn from(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body =
            tokio::time::timeout(PATIENCE, body.collect()).await.expect("the body ends").expect("a body");
        Self { status: head.status, headers: head.headers, body: body.to_bytes() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `detail` of an error.
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("no detail in {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }
}
