//! The client against a scripted server, with a clock that the test moves.

mod requests;
mod streams;

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Ready,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::{Client, Error};

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Answer {
    /// No response: the connection breaks.
    Broken,
    /// No response at all.
    Silent,
    Given(u16, &'static [(&'static str, &'static str)], String, End),
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Closed,
    Broken,
    Open,
}

fn given(status: u16, body: &str) -> Answer {
    Answer::Given(status, &[], body.to_owned(), End::Closed)
}

fn given_with(status: u16, headers: &'static [(&'static str, &'static str)]) -> Answer {
    Answer::Given(status, headers, String::new(), End::Closed)
}

fn streamed(frames: impl IntoIterator<Item = impl Into<String>>, end: End) -> Answer {
    let frames: Vec<String> = frames.into_iter().map(Into::into).collect();
    Answer::Given(200, &[("content-type", "text/event-stream")], frames.concat(), end)
}

/// A frame of an event that no version knows.
fn event(seq: u64) -> String {
    format!("id: {seq}\nevent: x\ndata: {{}}\n\n")
}

/// A request that the server has received.
#[derive(Clone, Debug)]
struct Received {
    line: String,
    last_event_id: Option<String>,
    credential: Option<String>,
    key: Option<String>,
    body: Bytes,
    at: Duration,
}

/// A server that gives its answers one after the other, each after the test has started by the time in `Received::at`.
#[derive(Clone, Debug)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
    start: Instant,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Self { answers, received: Arc::default(), start: Instant::now() }
    }

    fn client(&self) -> Client<Self> {
        Client::new(self.clone(), "http://h/agents".parse().unwrap())
    }

    fn received(&self) -> Vec<Received> {
        assert!(self.answers.lock().unwrap().is_empty(), "not all answers were asked for");
        self.received.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.line).collect()
    }

    fn last_event_ids(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.last_event_id.unwrap_or_default()).collect()
    }

    /// The pauses between the requests.
    fn pauses(&self) -> Vec<Duration> {
        self.received().windows(2).map(|two| two[1].at - two[0].at).collect()
    }
}

impl Service<Request<Full<Bytes>>> for Scripted {
    type Response = Response<ScriptedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ScriptedBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let (parts, mut body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let body = match Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
            _ => Bytes::new(),
        };
        self.received.lock().unwrap().push(Received {
            line: format!("{} {}", parts.method, parts.uri),
            last_event_id: header("last-event-id"),
            credential: header("authorization"),
            key: header("idempotency-key"),
            body,
            at: self.start.elapsed(),
        });
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| panic!("a request too many: {} {}", parts.method, parts.uri));
        Box::pin(async move {
            // Requests that are sent at the same time are under way at the same time.
            tokio::task::yield_now().await;
            match answer {
                Answer::Broken => Err("broken".into()),
                Answer::Silent => std::future::pending().await,
                Answer::Given(status, headers, body, end) => {
                    let response =
                        headers.iter().fold(Response::builder().status(status), |response, (name, value)| {
                            response.header(*name, *value)
                        });
                    Ok(response.body(ScriptedBody { bytes: body.into(), end }).unwrap())
                }
            }
        })
    }
}

/// A body that comes in parts of seven bytes.
struct ScriptedBody {
    bytes: Bytes,
    end: End,
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.bytes.is_empty() {
            let length = self.bytes.len().min(7);
            return Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(length)))));
        }
        match self.end {
            End::Closed => Poll::Ready(None),
            End::Broken => Poll::Ready(Some(Err("broken".into()))),
            End::Open => Poll::Pending,
        }
    }
}

/// A callback that returns `t1`, `t2`, …
fn numbered_tokens() -> impl Fn() -> Ready<Result<String, BoxError>> + Send + Sync + 'static {
    let calls = Mutex::new(0);
    move || {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        std::future::ready(Ok(format!("t{calls}")))
    }
}

fn status(error: &Error) -> u16 {
    error.refused().map_or(0, |refused| refused.status.as_u16())
}

/// The service's own error type is of no matter.
#[tokio::test]
async fn any_service_is_a_client() {
    let service = tower::service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(r#"{"sessions":[]}"#)))
    });
    assert_eq!(Client::new(service, "/".parse().unwrap()).list().await.unwrap(), []);
}
