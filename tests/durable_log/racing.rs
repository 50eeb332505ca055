//! The first requests for one new key come to several gateways at the same moment.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use agent_webkit::{
    layers::resume::{Event, EventLog, EventStream, RecordLayer},
    storage::events::{DurableConfig, DurableLog},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    place::{Place, on_both},
    reader::{PATIENCE, eventually},
};

on_both! {
    one_gateway_calls_the_upstream_and_the_others_read_its_stream,
    an_answer_that_is_no_stream_goes_to_its_caller_and_the_next_gateway_calls,
    others_wait_for_an_upstream_that_is_slow_to_answer_and_call_when_its_caller_leaves,
    a_gateway_that_dies_before_the_upstream_answers_leaves_a_stream_that_ends,
    a_stream_that_is_stopped_before_the_upstream_answers_ends_for_its_caller,
}

const LEASE: Duration = Duration::from_millis(900);

type Key = fn(&Parts) -> Option<String>;

/// Counts the calls of each path, and answers once `answers` says so, if it is given.
#[derive(Clone, Default)]
struct Upstream {
    calls: Arc<Mutex<HashMap<String, usize>>>,
    /// The first call of each path is answered with this status.
    first: Option<StatusCode>,
    answers: Option<Arc<Notify>>,
}

impl Upstream {
    fn calls(&self, path: &str) -> usize {
        self.calls.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    async fn answer(self, request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let call = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(path.clone()).or_default();
            *count += 1;
            *count
        };
        if let Some(answers) = self.answers {
            answers.notified().await;
        }
        let response = Response::builder().header("content-type", "text/event-stream");
        let status = self.first.filter(|_| call == 1).unwrap_or(StatusCode::OK);
        Ok(response.status(status).body(format!("data: {path} {call}\n\n").into()).unwrap())
    }
}

struct Gateway {
    layer: RecordLayer<DurableLog, Key>,
    upstream: Upstream,
}

impl Gateway {
    fn new(place: &Place, upstream: &Upstream) -> Self {
        let key: Key = |request| Some(request.uri.path().to_owned());
        let layer = RecordLayer::new(place.log(DurableConfig::default()), key).shared(LEASE);
        Self { layer, upstream: upstream.clone() }
    }

    fn asks(&self, method: &str, path: &str) -> impl Future<Output = (StatusCode, String)> + Send + use<> {
        let upstream = self.upstream.clone();
        let service = self.layer.layer(service_fn(move |request| upstream.clone().answer(request)));
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        async move {
            let asked = async {
                let (head, body) = service.oneshot(request).await.unwrap().into_parts();
                (head.status, body.collect().await.unwrap().to_bytes())
            };
            let (status, body) = tokio::time::timeout(PATIENCE, asked).await.expect("it answers");
            (status, String::from_utf8(body.to_vec()).unwrap())
        }
    }
}

async fn one_gateway_calls_the_upstream_and_the_others_read_its_stream(place: Place) {
    let upstream = Upstream::default();
    let gateways = [0, 1, 2].map(|_| Gateway::new(&place, &upstream));
    for round in 0..10 {
        let keys: Vec<_> = (0..10).map(|key| format!("/{round}/{key}")).collect();
        let asked = keys.iter().flat_map(|key| {
            gateways.iter().map(|gateway| tokio::spawn(gateway.asks("POST", key))).collect::<Vec<_>>()
        });
        for (at, answer) in asked.collect::<Vec<_>>().into_iter().enumerate() {
            let key = &keys[at / gateways.len()];
            assert_eq!(answer.await.unwrap(), (StatusCode::OK, format!("id: 1\ndata: {key} 1\n\n")));
        }
        assert!(keys.iter().all(|key| upstream.calls(key) == 1), "{:?}", upstream.calls.lock());
    }
}

async fn an_answer_that_is_no_stream_goes_to_its_caller_and_the_next_gateway_calls(place: Place) {
    let upstream = Upstream { first: Some(StatusCode::TOO_MANY_REQUESTS), ..Upstream::default() };
    let gateways = [0, 1].map(|_| Gateway::new(&place, &upstream));
    for key in ["/a", "/b", "/c"] {
        let [one, two] = [0, 1].map(|at| tokio::spawn(gateways[at].asks("POST", key)));
        let mut answers = [one.await.unwrap(), two.await.unwrap()];
        answers.sort();
        let refused = (StatusCode::TOO_MANY_REQUESTS, format!("data: {key} 1\n\n"));
        assert_eq!(answers, [(StatusCode::OK, format!("id: 1\ndata: {key} 2\n\n")), refused]);
    }
}

async fn others_wait_for_an_upstream_that_is_slow_to_answer_and_call_when_its_caller_leaves(place: Place) {
    let answers = Arc::new(Notify::new());
    let upstream = Upstream { answers: Some(Arc::clone(&answers)), ..Upstream::default() };
    let [one, two] = [0, 1].map(|_| Gateway::new(&place, &upstream));
    let first = tokio::spawn(one.asks("GET", "/a"));
    eventually("the first call", async || upstream.calls("/a") == 1).await;
    let second = tokio::spawn(two.asks("GET", "/a"));
    // Longer than a silent gateway lives.
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(upstream.calls("/a"), 1);
    first.abort();
    eventually("the second call", async || upstream.calls("/a") == 2).await;
    answers.notify_waiters();
    assert_eq!(second.await.unwrap(), (StatusCode::OK, "id: 1\ndata: /a 2\n\n".to_owned()));
}

async fn a_gateway_that_dies_before_the_upstream_answers_leaves_a_stream_that_ends(place: Place) {
    let upstream = Upstream::default();
    let two = Gateway::new(&place, &upstream);
    let dead = place.log(DurableConfig::default());
    let left = dead.create("/a").await.unwrap().expect("it is new");
    assert!(dead.create("/a").await.unwrap().is_none());
    assert_eq!(left.bounds().last, 0);
    let (status, text) = two.asks("POST", "/a").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("id: 1\nevent: error\ndata: {\"code\":\"recording_lost\""), "{text}");
    assert_eq!(upstream.calls("/a"), 0);
}

async fn a_stream_that_is_stopped_before_the_upstream_answers_ends_for_its_caller(place: Place) {
    let answers = Arc::new(Notify::new());
    let upstream = Upstream { answers: Some(Arc::clone(&answers)), ..Upstream::default() };
    let one = Gateway::new(&place, &upstream);
    let asked = tokio::spawn(one.asks("POST", "/a"));
    eventually("the call", async || upstream.calls("/a") == 1).await;
    // As another gateway does it.
    let stopped = place.log(DurableConfig::default()).open("/a").await.unwrap();
    stopped.append(Event::new("error", "stopped").into()).await.unwrap();
    stopped.close();
    answers.notify_waiters();
    assert_eq!(asked.await.unwrap(), (StatusCode::OK, "id: 1\nevent: error\ndata: stopped\n\n".to_owned()));
}
