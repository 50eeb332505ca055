//! Gateways that record into one log: each stream by one of them, and any of them resumes it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit::{
    layers::resume::{Event, EventLog, EventStream, Framing, RecordLayer, Sse, StreamIds},
    storage::events::{DurableConfig, DurableLog},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::{
    place::{Place, on_both},
    reader::{PATIENCE, eventually},
};

on_both! {
    any_gateway_resumes_a_stream_as_it_grows,
    a_silent_gateway_is_not_dead,
    a_dead_gateways_stream_ends,
    any_gateway_stops_a_stream,
}

/// After so much silence a gateway counts as dead.
pub(crate) const LEASE: Duration = Duration::from_millis(900);

type Anything = UnsyncBoxBody<Bytes, BoxError>;

/// The upstream: the test sends the parts of each answer that it gives.
#[derive(Clone)]
pub(crate) struct Upstream {
    answers: Arc<Mutex<Vec<Option<UnboundedSender<&'static str>>>>>,
    media_type: &'static str,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::of("text/event-stream")
    }
}

impl Upstream {
    pub(crate) fn of(media_type: &'static str) -> Self {
        Self { answers: Arc::default(), media_type }
    }

    pub(crate) fn calls(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// The end of its last answer to write to. Dropping it ends the answer.
    pub(crate) fn answer(&self) -> UnboundedSender<&'static str> {
        self.answers
            .lock()
            .unwrap()
            .last_mut()
            .and_then(Option::take)
            .expect("a call that nobody has answered")
    }

    fn call(&self) -> Response<Fed> {
        let (parts, body) = unbounded_channel();
        self.answers.lock().unwrap().push(Some(parts));
        Response::builder().header("content-type", self.media_type).body(Fed(body)).unwrap()
    }
}

/// A body whose parts are sent by the test.
struct Fed(UnboundedReceiver<&'static str>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }
}

/// A gateway with a log of its own, as in another process.
pub(crate) struct Gateway<F = Sse> {
    pub(crate) log: DurableLog,
    layer: RecordLayer<DurableLog, StreamIds, F>,
    upstream: Upstream,
}

impl Gateway {
    fn new(place: &Place, upstream: &Upstream) -> Self {
        Self::with(place, upstream, Sse::new())
    }
}

impl<F: Framing> Gateway<F> {
    pub(crate) fn with(place: &Place, upstream: &Upstream, framing: F) -> Self {
        let log = place.log(DurableConfig::default());
        let layer = RecordLayer::new(log.clone(), StreamIds::new(|| "answer".to_owned()));
        Self { log, layer: layer.shared(LEASE).framing(framing), upstream: upstream.clone() }
    }

    async fn ask(&self, request: Request<()>) -> Response<Incoming> {
        let upstream = self.upstream.clone();
        let upstream = service_fn(move |_: Request<()>| {
            let answer = upstream.call();
            async move { Ok::<_, Infallible>(answer) }
        });
        self.layer
            .layer(upstream)
            .oneshot(request)
            .await
            .unwrap()
            .map(|body| Incoming(body.map_err(Into::into).boxed_unsync()))
    }

    /// The first request, which starts the stream.
    pub(crate) async fn start(&self) -> Incoming {
        self.ask(Request::post("/answers").body(()).unwrap()).await.into_body()
    }

    /// A client that comes back.
    pub(crate) async fn resume(&self, method: Method, last_seen: &str) -> Response<Incoming> {
        let request = Request::builder().method(method).uri("/answers").header("stream-id", "answer");
        self.ask(request.header("last-event-id", last_seen.as_bytes()).body(()).unwrap()).await
    }
}

/// A response's body, read as it comes.
pub(crate) struct Incoming(Anything);

impl Incoming {
    /// Reads this text.
    pub(crate) async fn reads(&mut self, text: &str) {
        let mut read = String::new();
        while read.len() < text.len() {
            let frame = tokio::time::timeout(PATIENCE, self.0.frame()).await.expect("it says something");
            let frame = frame.unwrap_or_else(|| panic!("it ended after {read:?}")).unwrap();
            read.push_str(str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        assert_eq!(read, text);
    }

    pub(crate) async fn ends(mut self) {
        let frame = tokio::time::timeout(PATIENCE, self.0.frame()).await.expect("it says something");
        assert!(frame.is_none(), "after the end came {frame:?}");
    }
}

async fn any_gateway_resumes_a_stream_as_it_grows(place: Place) {
    let upstream = Upstream::default();
    let [one, two] = [0, 1].map(|_| Gateway::new(&place, &upstream));
    let mut first = one.start().await;
    let answer = upstream.answer();
    answer.send("data: a\n\ndata: b\n\n").unwrap();
    first.reads("id: 1\ndata: a\n\nid: 2\ndata: b\n\n").await;
    drop(first);

    let mut again = two.resume(Method::POST, "1").await.into_body();
    again.reads("id: 2\ndata: b\n\n").await;
    answer.send("data: c\n\n").unwrap();
    again.reads("id: 3\ndata: c\n\n").await;
    let mut other = two.resume(Method::GET, "").await.into_body();
    other.reads("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n").await;
    answer.send("data: d\n\n").unwrap();
    for reader in [&mut again, &mut other] {
        reader.reads("id: 4\ndata: d\n\n").await;
    }
    drop(answer);
    again.ends().await;
    other.ends().await;
    two.resume(Method::GET, "3").await.into_body().reads("id: 4\ndata: d\n\n").await;
    assert_eq!(two.resume(Method::GET, "9").await.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(upstream.calls(), 1);
}

async fn a_silent_gateway_is_not_dead(place: Place) {
    let upstream = Upstream::default();
    let [one, two] = [0, 1].map(|_| Gateway::new(&place, &upstream));
    let _first = one.start().await;
    let answer = upstream.answer();
    answer.send("data: a\n\n").unwrap();
    let mut again = two.resume(Method::POST, "").await.into_body();
    again.reads("id: 1\ndata: a\n\n").await;
    tokio::time::sleep(LEASE * 3).await;
    answer.send("data: b\n\n").unwrap();
    again.reads("id: 2\ndata: b\n\n").await;
    assert_eq!(upstream.calls(), 1);
}

async fn a_dead_gateways_stream_ends(place: Place) {
    let upstream = Upstream::default();
    let two = Gateway::new(&place, &upstream);
    // What a killed process leaves: a stream that nobody writes any more, and that is not closed.
    let dead = place.log(DurableConfig::default());
    let left = dead.open("answer").await.unwrap();
    left.append(Event::new("", "a").into()).await.unwrap();
    let mut again = two.resume(Method::POST, "").await.into_body();
    again.reads("id: 1\ndata: a\n\n").await;

    let lost = "id: 2\nevent: error\ndata: {\"code\":\"recording_lost\",\"message\":\"The recording was lost: the process that made it ended before the upstream's stream did.\"}\n\n";
    again.reads(lost).await;
    again.ends().await;
    assert_eq!(upstream.calls(), 0);
}

async fn any_gateway_stops_a_stream(place: Place) {
    let upstream = Upstream::default();
    let [one, two] = [0, 1].map(|_| Gateway::new(&place, &upstream));
    let _first = one.start().await;
    let answer = upstream.answer();
    answer.send("data: a\n\n").unwrap();
    two.resume(Method::GET, "").await.into_body().reads("id: 1\ndata: a\n\n").await;
    assert_eq!(two.resume(Method::DELETE, "").await.status(), StatusCode::NO_CONTENT);
    // The upstream's body is dropped without a further event.
    eventually("the upstream is left", async || answer.is_closed()).await;
    for gateway in [&two, &one] {
        let mut rest = gateway.resume(Method::GET, "1").await.into_body();
        rest.reads("id: 2\nevent: error\ndata: {\"code\":\"recording_stopped\",\"message\":\"The recording was stopped before the upstream's stream ended.\"}\n\n").await;
        rest.ends().await;
    }
    let request = Request::delete("/answers").header("stream-id", "no such").body(()).unwrap();
    assert_eq!(two.ask(request).await.status(), StatusCode::NOT_FOUND);
}
