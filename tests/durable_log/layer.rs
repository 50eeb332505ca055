//! The resume layer over a durable log.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use agent_webkit::{
    layers::resume::{EventLog, EventStream, RecordLayer},
    storage::events::{DurableConfig, DurableLog},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    place::{Place, on_both},
    reader::eventually,
};

/// Requests the stream through a layer over this log and returns the status and the body.
async fn ask(log: &DurableLog, calls: &Arc<AtomicUsize>, last_seen: &str) -> (StatusCode, Bytes) {
    let calls = Arc::clone(calls);
    let upstream = service_fn(move |_: Request<()>| {
        calls.fetch_add(1, Ordering::Relaxed);
        async {
            let body = Full::<Bytes>::from("data: first\n\ndata: second\n\n");
            Ok::<_, Infallible>(
                Response::builder().header("content-type", "text/event-stream").body(body).unwrap(),
            )
        }
    });
    let layer = RecordLayer::new(log.clone(), |request: &Parts| Some(request.uri.path().to_owned()));
    let request = Request::get("/news").header("last-event-id", last_seen).body(()).unwrap();
    let (head, body) = layer.layer(upstream).oneshot(request).await.unwrap().into_parts();
    (head.status, body.collect().await.unwrap().to_bytes())
}

async fn a_recording_is_resumed_after_a_restart(place: Place) {
    let calls = Arc::default();
    let log = place.log(DurableConfig::default());
    let (_, whole) = ask(&log, &calls, "").await;
    assert_eq!(whole, "id: 1\ndata: first\n\nid: 2\ndata: second\n\n");
    eventually("the end", async || log.find("/news").await.unwrap().unwrap().bounds().closed).await;
    log.shutdown().await;

    let log = place.log(DurableConfig::default());
    let (_, rest) = ask(&log, &calls, "1").await;
    assert_eq!(rest, "id: 2\ndata: second\n\n");
    assert_eq!(ask(&log, &calls, "3").await.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

on_both!(a_recording_is_resumed_after_a_restart);
