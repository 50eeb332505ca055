//! A stack in this process, with fake agents, and a client for it.

use std::{
    convert::Infallible,
    path::Path,
    time::{Duration, SystemTime},
};

use agent_webkit::{
    Stack,
    layers::{
        auth::{Principal, Scopes, StaticTokens},
        resume::{EventLog, RingLog},
    },
    service::{Limits, Policy},
    stack::{ResponseBody, StackBuilder},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::fake::{FakeAgents, Far};

pub(crate) type FakeStack<L = RingLog> = Stack<FakeAgents, StaticTokens, L>;

/// A stack with its own workspace. It accepts the tokens `ada` and `bob`, and tokens of Ada that allow less:
/// `ada:read`, `ada:drive`, `ada:approve`, `ada:`, and `ada-for-a-minute`.
#[derive(Debug)]
pub(crate) struct Rig<L: EventLog = RingLog> {
    pub(crate) stack: FakeStack<L>,
    pub(crate) agents: mpsc::UnboundedReceiver<Far>,
    pub(crate) workspace: TempDir,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let (agents, far) = FakeAgents::new();
        Self::build(agents, far, |builder| builder.limits(limits))
    }

    pub(crate) fn build(
        agents: FakeAgents,
        far: mpsc::UnboundedReceiver<Far>,
        choose: impl FnOnce(StackBuilder<FakeAgents, StaticTokens>) -> StackBuilder<FakeAgents, StaticTokens>,
    ) -> Self {
        let workspace = tempfile::tempdir().unwrap();
        let stack = choose(builder(agents, workspace.path())).build();
        Self { stack, agents: far, workspace }
    }
}

/// The builder of the stack of a [`Rig`].
pub(crate) fn builder(agents: FakeAgents, workspace: &Path) -> StackBuilder<FakeAgents, StaticTokens> {
    let policy = Policy::new([workspace]).unwrap().adopt_for("ada");
    Stack::builder(agents, policy).auth(tokens())
}

impl<L: EventLog> Rig<L> {
    pub(crate) async fn answer(&self, request: Request<Full<Bytes>>) -> Response<ResponseBody> {
        let answer: Result<_, Infallible> = self.stack.clone().oneshot(request).await;
        answer.unwrap()
    }

    /// Sends a request with Ada's token.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        self.ask_as("ada", method, path, body).await
    }

    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        Reply::of(self.answer(request(token, method, path, &[], body)).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, "").await
    }

    pub(crate) async fn create(&self, body: &str) -> Reply {
        self.ask(Method::POST, "/sessions", body.to_owned()).await
    }

    pub(crate) async fn input(&self, id: &str, body: impl Into<Bytes>) -> Reply {
        self.ask(Method::POST, &format!("/sessions/{id}/input"), body).await
    }

    /// Creates a session of Ada and returns its id and its agent.
    pub(crate) async fn session(&mut self) -> (String, Far) {
        let id = self.create("").await.session_id();
        (id, self.agents.recv().await.unwrap())
    }

    /// Opens a session's stream with Ada's token.
    pub(crate) async fn events(&self, id: &str, last_event_id: Option<u64>) -> Events {
        let last = last_event_id.map(|last| last.to_string());
        let headers: Vec<_> = last.iter().map(|last| ("last-event-id", last.as_str())).collect();
        let path = format!("/sessions/{id}/stream");
        self.open(request("ada", Method::GET, &path, &headers, "")).await
    }

    /// Opens a stream with this request.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Events {
        let response = self.answer(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), buffer: String::new() }
    }
}

fn tokens() -> StaticTokens {
    let ada = || Principal::new("ada");
    let tokens = StaticTokens::default().with("ada", "ada").unwrap().with("bob", "bob").unwrap();
    let tokens = ["read", "drive", "approve", ""].into_iter().fold(tokens, |tokens, scopes| {
        tokens.with_principal(ada().with_scopes(Scopes::parse(scopes)), format!("ada:{scopes}")).unwrap()
    });
    let soon = ada().expiring_at(SystemTime::now() + Duration::from_secs(60));
    tokens.with_principal(soon, "ada-for-a-minute").unwrap()
}

pub(crate) fn request(
    token: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

impl Reply {
    pub(crate) async fn of(response: Response<ResponseBody>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }

    pub(crate) fn session_id(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.json()["session_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A reader of a stream.
#[derive(Debug)]
pub(crate) struct Events {
    body: ResponseBody,
    buffer: String,
}

impl Events {
    /// Reads the next frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let event = parse(frame);
                self.buffer = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }

    /// Reads up to the next frame with this name.
    pub(crate) async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if event.name == name {
                return event;
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(frame: &str) -> Event {
    let mut event = Event { id: None, name: String::new(), data: Value::Null };
    for line in frame.lines() {
        match line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no field")) {
            ("id", id) => event.id = Some(id.parse().unwrap()),
            ("event", name) => event.name = name.to_owned(),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            ("", comment) => event.name = format!(": {comment}"),
            (field, _) => panic!("{field:?} is not a field of ours"),
        }
    }
    event
}
