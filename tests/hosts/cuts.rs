//! The gateway example behind a network that cuts connections, as a process in front of the practice model.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use agent_webkit::practice::Model;
use bytes::{Bytes, BytesMut};
use http::{Request, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::{
    host::{Http, Place},
    mount,
    support::{BreakingNetwork, PATIENCE, Script, Server, TOKEN},
};

// A worker thread, here and below: HTTP/2 connections must close while the test blocks on the gateway's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_is_being_given_arrives_exactly_once() {
    let script = Script::new(json!({"text": "0123456789abcdef ", "times": 1500})).pace(1);
    every_byte_arrives_exactly_once(script, 1500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_has_been_given_arrives_exactly_once() {
    let script = Script::new(json!({"text": "Ünïcödé \n\r\t\u{2028} 0123456789 ", "times": 4000}));
    every_byte_arrives_exactly_once(script, 6000).await;
}

/// Above the size of an HTTP/2 frame (16 KiB), because a reader cannot use a part of a frame.
const LONGEST_ON_HTTP2: u64 = 40_000;

/// Four readers, each behind its own proxy, which passes at most this many bytes before it cuts a connection.
async fn every_byte_arrives_exactly_once(script: Script, longest_on_http1: u64) {
    let upstream = Upstream::start().await;
    let gateway = Server::example("gateway")
        .env("TOKENS", format!("ada={TOKEN}"))
        .env("UPSTREAM", &upstream.url)
        .start()
        .await;
    let question = json!({
        "model": "m-1",
        "stream": true,
        "messages": [{"role": "user", "content": script.to_string()}],
    });
    let kept = gateway.client().post("", question.to_string()).await;
    assert_eq!(kept.status, 201, "{kept:?}");
    let path = kept.header("location").unwrap().to_owned();
    let authority = gateway.authority();
    // The first reader makes the gateway call the upstream. It disconnects, and the answer is recorded
    // nevertheless.
    let mut first = Reader::new(format!("http://{authority}{path}"), Http::One);
    first.read_some().await;

    let mut readers = JoinSet::new();
    for (seed, http) in [(1, Http::One), (2, Http::One), (3, Http::Two), (4, Http::Two)] {
        let longest = if http == Http::Two { LONGEST_ON_HTTP2 } else { longest_on_http1 };
        let network = BreakingNetwork::before(authority, seed, longest).await;
        let mut reader = Reader::new(format!("{}{path}", network.url()), http);
        readers.spawn(async move {
            let all = async { while !reader.read_on().await {} };
            tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("seed {seed} hangs"));
            (seed, reader.events.concat(), network.cuts())
        });
    }
    let (mut read, mut cuts) = (Vec::new(), 0);
    while let Some(reader) = readers.join_next().await {
        let (seed, bytes, its_cuts) = reader.unwrap();
        read.push((seed, bytes));
        cuts += its_cuts;
    }

    let [given] = &*upstream.given() else {
        panic!("the upstream was asked {} times", upstream.given().len())
    };
    assert!(given.ends_with(b"data: {\"type\":\"message_stop\"}\n\n"));
    for (seed, bytes) in read {
        assert!(bytes == *given, "with seed {seed}, {} bytes of {} came", bytes.len(), given.len());
    }
    assert!(cuts > 300, "only {cuts} cuts");
}

/// The practice model behind a proxy that records its answers.
struct Upstream {
    url: String,
    given: Arc<Mutex<Vec<Vec<u8>>>>,
    ended: CancellationToken,
    _model: Model,
}

impl Upstream {
    async fn start() -> Self {
        let model = Model::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let given: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let model_url = model.url();
        let keeping = Arc::clone(&given);
        let http: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build_http();
        let keep = service_fn(move |mut request: Request<Incoming>| {
            *request.uri_mut() = format!("{model_url}{}", request.uri().path()).parse().unwrap();
            let (asked, given) = (http.request(request), Arc::clone(&keeping));
            async move {
                let response = asked.await.expect("the model answers");
                let call = {
                    let mut given = given.lock().unwrap();
                    given.push(Vec::new());
                    given.len() - 1
                };
                Ok::<_, Infallible>(response.map(|body| {
                    body.map_frame(move |frame| {
                        given.lock().unwrap()[call].extend_from_slice(frame.data_ref().expect("no trailers"));
                        frame
                    })
                }))
            }
        });
        let ended = CancellationToken::new();
        tokio::spawn(mount::serve(keep, Place { listener, ended: ended.clone() }, async {}));
        Self { url, given, ended, _model: model }
    }

    /// The recorded answers, one per call.
    fn given(&self) -> Vec<Vec<u8>> {
        self.given.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// A client as in the event-stream standard: it drops an incomplete event and resumes after the last complete
/// one.
struct Reader {
    http: Client<HttpConnector, Empty<Bytes>>,
    version: Version,
    url: String,
    last: u64,
    /// The events without their ids.
    events: Vec<Bytes>,
}

impl Reader {
    fn new(url: String, http: Http) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .http2_only(http == Http::Two)
            .build_http();
        let version = if http == Http::Two { Version::HTTP_2 } else { Version::HTTP_11 };
        Self { http: client, version, url, last: 0, events: Vec::new() }
    }

    /// Reads until the connection breaks. Returns whether the stream has ended.
    async fn read_on(&mut self) -> bool {
        let Some(mut body) = self.connect().await else { return false };
        let mut unread = BytesMut::new();
        while let Some(read) = body.frame().await {
            let Ok(frame) = read else { return false };
            unread.extend_from_slice(&frame.into_data().unwrap_or_default());
            self.take_events(&mut unread);
        }
        assert!(unread.is_empty(), "the stream ended inside of {unread:?}");
        true
    }

    /// Reads a part of the stream and disconnects.
    async fn read_some(&mut self) {
        let mut body = self.connect().await.expect("nothing breaks here");
        body.frame().await.expect("an event").expect("nothing breaks here");
    }

    async fn connect(&self) -> Option<Incoming> {
        let mut request = Request::get(&self.url).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        if self.last > 0 {
            request = request.header("last-event-id", self.last);
        }
        let response = self.http.request(request.body(Empty::new()).unwrap()).await.ok()?;
        assert_eq!((response.status().as_u16(), response.version()), (200, self.version));
        Some(response.into_body())
    }

    fn take_events(&mut self, unread: &mut BytesMut) {
        while let Some(end) = unread.windows(2).position(|two| two == b"\n\n") {
            let frame = unread.split_to(end + 2).freeze();
            if frame.starts_with(b":") {
                continue;
            }
            self.last += 1;
            let id = format!("id: {}\n", self.last);
            assert!(frame.starts_with(id.as_bytes()), "{frame:?} is not event {}", self.last);
            self.events.push(frame.slice(id.len()..));
        }
    }
}
