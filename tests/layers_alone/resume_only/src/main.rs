//! A ticker that streams events and cannot resume, made resumable.

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use agent_webkit_layers::resume::{RecordLayer, RingConfig, RingLog};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let calls: Arc<Mutex<Vec<Sender<Bytes, Infallible>>>> = Arc::default();
    let upstream = {
        let calls = calls.clone();
        service_fn(move |_: Request<()>| {
            let (sender, body) = Channel::new(8);
            calls.lock().expect("no panic").push(sender);
            let response = Response::builder().header("content-type", "text/event-stream").body(body);
            ready(Ok::<_, Infallible>(response.expect("a response")))
        })
    };
    let key = |parts: &Parts| Some(parts.uri.path().to_owned());
    let layer = RecordLayer::new(RingLog::new(RingConfig::default()), key);
    let recordings = layer.recordings();
    let mut service = ServiceBuilder::new().layer(layer).service(upstream);

    let mut first = service.ready().await.expect("infallible").call(ticker(None)).await.expect("infallible");
    assert_eq!(first.status(), 200);
    let mut ticks = calls.lock().expect("no panic").pop().expect("the upstream was called");
    for part in ["id: seven\r\nevent: tick\r\nda", "ta: 1\r\n\r\n: a comment\r\n\r\ndata: 2\r\n\r\n"] {
        ticks.send_data(Bytes::from(part)).await.expect("it is recorded");
    }
    let mut read = String::new();
    while !read.ends_with("data: 2\n\n") {
        let frame = first.frame().await.expect("the stream goes on").expect("no error");
        read += std::str::from_utf8(frame.data_ref().expect("data")).expect("text");
    }
    assert_eq!(read, "id: 1\nevent: tick\ndata: 1\n\nid: 2\ndata: 2\n\n");
    drop(first);

    // The ticker continues without a reader.
    ticks.send_data(Bytes::from("data: 3\n\ndata: 4\n\n")).await.expect("it is recorded");
    drop(ticks);

    let resumed = service.ready().await.expect("infallible").call(ticker(Some("2"))).await;
    let rest = resumed.expect("infallible").collect().await.expect("no error").to_bytes();
    assert_eq!(rest, "id: 3\ndata: 3\n\nid: 4\ndata: 4\n\n");
    assert!(calls.lock().expect("no panic").is_empty(), "one call serves every reader");

    let ahead = service.ready().await.expect("infallible").call(ticker(Some("5"))).await;
    assert_eq!(ahead.expect("infallible").status(), 412);
    recordings.shutdown().await;
}

fn ticker(last_event_id: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(id) = last_event_id {
        request.headers_mut().insert("last-event-id", id.parse().expect("a header value"));
    }
    request
}
