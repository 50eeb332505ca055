//! Relaying between hosts that are not ours.
#![cfg(feature = "relay")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use agent_webkit_layers::relay::RelayLayer;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

type Sent = UnsyncBoxBody<Bytes, BoxError>;
type Item = Result<Frame<Bytes>, BoxError>;

/// A body that is fed through a channel.
struct Fed(UnboundedReceiver<Item>);

impl Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.0.poll_recv(cx)
    }
}

fn fed() -> (UnboundedSender<Item>, Sent) {
    let (feed, body) = unbounded_channel();
    (feed, Fed(body).boxed_unsync())
}

fn full(text: &'static str) -> Sent {
    Full::from(text).map_err(Into::into).boxed_unsync()
}

fn data(text: &'static str) -> Item {
    Ok(Frame::data(text.into()))
}

/// Requests for `/there…` belong to the host `there`.
fn place(parts: &Parts) -> Option<Uri> {
    parts.uri.path().starts_with("/there").then(|| Uri::from_static("http://u:p@there:1/base"))
}

async fn here(_: Request<Sent>) -> Result<Response<Sent>, BoxError> {
    Ok(Response::new(full("here")))
}

/// Sends a request through a relay in front of [`here`], whose client is this function.
async fn relay<C, F>(request: Request<Sent>, client: C) -> Response<impl Body<Data = Bytes, Error = BoxError>>
where
    C: FnMut(Request<Sent>) -> F + Clone,
    F: Future<Output = Result<Response<Sent>, BoxError>>,
{
    RelayLayer::new(service_fn(client), place).layer(service_fn(here)).oneshot(request).await.unwrap()
}

async fn text(response: Response<impl Body<Data = Bytes, Error = BoxError>>) -> String {
    let body = response.into_body().collect().await.map_err(|error| error.to_string()).unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

fn get(path: &str) -> Request<Sent> {
    Request::get(path).body(full("")).unwrap()
}

#[tokio::test]
async fn what_belongs_here_stays_here() {
    let nobody = |_| async { panic!("it is not forwarded") };
    assert_eq!(text(relay(get("/mine"), nobody).await).await, "here");
}

#[tokio::test]
async fn the_other_host_gets_the_whole_request_and_its_answer_comes_back() {
    let seen = Arc::new(Mutex::new(None));
    let client = |request: Request<Sent>| {
        let (parts, body) = request.into_parts();
        let seen = Arc::clone(&seen);
        async move {
            let body = body.collect().await?.to_bytes();
            *seen.lock().unwrap() = Some((parts.method, parts.uri, parts.headers, body));
            let answer =
                Response::builder().status(409).header("connection", "close, x-own").header("x-own", "1");
            Ok(answer.header("retry-after", "7").body(full("theirs"))?)
        }
    };
    let request = Request::post("/there/%20?q=1&q=2")
        .header("host", "here:80")
        .header("connection", "keep-alive, x-one")
        .header("x-one", "1")
        .header("upgrade", "websocket")
        .header("authorization", "Bearer t")
        .body(full("question"))
        .unwrap();
    let answer = relay(request, client).await;
    assert_eq!((answer.status(), answer.headers().len()), (StatusCode::CONFLICT, 1));
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(text(answer).await, "theirs");

    let (method, uri, headers, body) = seen.lock().unwrap().take().unwrap();
    assert_eq!((method, &*body), (Method::POST, &b"question"[..]));
    assert_eq!(uri, "http://u:p@there:1/base/there/%20?q=1&q=2");
    let expected: HeaderMap = [("host", "there:1"), ("x-relay-hops", "1"), ("authorization", "Bearer t")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect();
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn bodies_stream_both_ways_and_break_where_they_break() {
    let (feed_request, request) = fed();
    let (feed_answer, answer) = fed();
    let answer = Arc::new(Mutex::new(Some(answer)));
    let (passed, mut pass) = unbounded_channel();
    let client = |request: Request<Sent>| {
        let (answer, passed) = (answer.lock().unwrap().take().unwrap(), passed.clone());
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                passed
                    .send(frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.to_string()))
                    .unwrap();
            }
        });
        async { Ok(Response::new(answer)) }
    };
    let mut response = relay(Request::post("/there").body(request).unwrap(), client).await;
    feed_request.send(data("one")).unwrap();
    assert_eq!(pass.recv().await, Some(Ok("one".into())));
    feed_answer.send(data("first")).unwrap();
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    feed_request.send(Err("cut".into())).unwrap();
    assert_eq!(pass.recv().await, Some(Err("cut".to_owned())));
    feed_answer.send(Err("gone".into())).unwrap();
    assert_eq!(response.frame().await.unwrap().unwrap_err().to_string(), "gone");
    // A reader that leaves is noticed by the other host.
    drop(response);
    assert!(feed_answer.is_closed());
}

#[tokio::test]
async fn hosts_that_take_each_other_for_the_right_one_say_so() {
    let forwarded = |hops: &str, most| {
        let relay = RelayLayer::new(service_fn(here), place).most_hops(most).layer(service_fn(here));
        let request = Request::get("/there").header("x-relay-hops", hops).body(full("")).unwrap();
        async move { relay.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!((forwarded("0", 1).await, forwarded("1", 1).await), (200, 508));
    assert_eq!((forwarded("2", 3).await, forwarded("3", 3).await), (200, 508));
    assert_eq!(forwarded("many", 3).await, 508);
    assert_eq!(forwarded("0", 0).await, 508);
    let relay = RelayLayer::new(service_fn(here), place).layer(service_fn(here));
    let mine = Request::get("/mine").header("x-relay-hops", "1").body(full("")).unwrap();
    assert_eq!(relay.oneshot(mine).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_a_503_to_try_again() {
    let down = |_| async { Err("connection refused".into()) };
    let answer = relay(get("/there"), down).await;
    assert_eq!(
        (answer.status(), answer.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    assert!(text(answer).await.contains("try again"));
    let head = relay(Request::head("/there").body(full("")).unwrap(), down).await;
    assert_eq!(head.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(head).await, "");
}

/// A client that is ready after it was asked twice, or never.
#[derive(Clone)]
struct Slow {
    asked: u32,
    broken: bool,
}

impl Service<Request<Sent>> for Slow {
    type Response = Response<Sent>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Response<Sent>, &'static str>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.asked += 1;
        match self.asked {
            1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ if self.broken => Poll::Ready(Err("broken")),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Sent>) -> Self::Future {
        assert!(self.asked >= 2, "called before it was ready");
        std::future::ready(Ok(Response::new(full("slow"))))
    }
}

#[tokio::test]
async fn a_client_is_called_when_it_is_ready() {
    let through = async |broken| {
        let relay = RelayLayer::new(Slow { asked: 0, broken }, place).layer(service_fn(here));
        relay.oneshot(get("/there")).await.unwrap().status()
    };
    assert_eq!(
        (through(false).await, through(true).await),
        (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE)
    );
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_through() {
    let broken = service_fn(|_: Request<Sent>| async { Err::<Response<Sent>, _>("broken") });
    let nobody = service_fn(|_: Request<Sent>| async { Ok::<_, Infallible>(Response::new(full(""))) });
    let outcome = RelayLayer::new(nobody, place).layer(broken).oneshot(get("/mine")).await;
    assert_eq!(outcome.err(), Some("broken"));
}
