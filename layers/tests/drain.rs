//! The rest of a request's body is read before the response is passed on, within bounds.
#![cfg(feature = "drain")]

use std::{
    convert::Infallible,
    future::{Future, poll_fn, ready},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit_layers::drain::{DrainLayer, RequestBody};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::{sync::Notify, time::Instant};
use tower::{Layer, Service, ServiceExt, service_fn};

/// A client that sends: chunks of ten bytes, then what `end` says. Counts the chunks that were read.
struct Upload {
    chunks: usize,
    end: End,
    announced: u64,
    read: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Clean,
    Broken,
    /// The client sends no more and stays.
    Never,
}

fn upload(chunks: usize, end: End) -> (Upload, Arc<AtomicUsize>) {
    let read = Arc::<AtomicUsize>::default();
    (Upload { chunks, end, announced: 0, read: Arc::clone(&read) }, read)
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.chunks > 0 {
            self.chunks -= 1;
            self.read.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))));
        }
        match self.end {
            End::Clean => Poll::Ready(None),
            End::Broken => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            End::Never => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks == 0 && self.end == End::Clean
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.announced);
        hint
    }
}

fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("no"));
    *response.status_mut() = status;
    response
}

/// Sends the upload to a service that does not look at it.
async fn refused(layer: DrainLayer, request: Request<Upload>, status: StatusCode) -> StatusCode {
    let inner =
        service_fn(move |_: Request<RequestBody<Upload>>| ready(Ok::<_, Infallible>(refusal(status))));
    layer.layer(inner).oneshot(request).await.unwrap().status()
}

async fn unauthorized(layer: DrainLayer, body: Upload) -> StatusCode {
    refused(layer, Request::post("/").body(body).unwrap(), StatusCode::UNAUTHORIZED).await
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_read_to_its_end() {
    for end in [End::Clean, End::Broken] {
        let (body, read) = upload(1000, end);
        assert_eq!(unauthorized(DrainLayer::new(), body).await, StatusCode::UNAUTHORIZED);
        assert_eq!(read.load(Ordering::Relaxed), 1000);
    }
}

#[tokio::test]
async fn a_body_that_is_half_read_is_read_to_its_end() {
    let (body, read) = upload(10, End::Clean);
    let inner = service_fn(async |request: Request<RequestBody<Upload>>| {
        let mut body = request.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "0123456789");
        Ok::<_, Infallible>(refusal(StatusCode::PAYLOAD_TOO_LARGE))
    });
    let response = DrainLayer::new().layer(inner).oneshot(Request::post("/").body(body).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_body_that_is_read_comes_through_whole() {
    let inner = service_fn(async |request: Request<RequestBody<Upload>>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(body)))
    });
    let (body, _) = upload(3, End::Clean);
    let response = DrainLayer::new().layer(inner).oneshot(Request::post("/").body(body).unwrap()).await;
    assert_eq!(response.unwrap().into_body().collect().await.unwrap().to_bytes(), "0123456789".repeat(3));
}

#[tokio::test(start_paused = true)]
async fn the_response_waits_for_the_last_byte_and_no_longer() {
    let (more, told) = (Arc::new(Notify::new()), Arc::<Mutex<bool>>::default());
    let body = {
        let (more, told) = (Arc::clone(&more), Arc::clone(&told));
        let last = async move {
            more.notified().await;
            *told.lock().unwrap() = true;
            None
        };
        Full::<Bytes>::from("begin").with_trailers(last).boxed_unsync()
    };
    let inner = service_fn(|_| ready(Ok::<_, Infallible>(refusal(StatusCode::NOT_FOUND))));
    let mut answer = pin!(DrainLayer::new().layer(inner).oneshot(Request::post("/").body(body).unwrap()));
    let polled = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    more.notify_one();
    assert_eq!(answer.await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(*told.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_than_the_layer_may_and_for_no_longer() {
    let (endless, read) = upload(usize::MAX, End::Never);
    assert_eq!(unauthorized(DrainLayer::new().max_bytes(1000), endless).await, StatusCode::UNAUTHORIZED);
    assert_eq!(read.load(Ordering::Relaxed), 101);

    let (stalled, _) = upload(1, End::Never);
    let began = Instant::now();
    let layer = DrainLayer::new().max_time(Duration::from_secs(3));
    assert_eq!(unauthorized(layer, stalled).await, StatusCode::UNAUTHORIZED);
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_in_vain() {
    let began = Instant::now();
    let (body, read) = upload(10, End::Never);
    let longer = Upload { announced: (64 << 20) + 1, ..body };
    assert_eq!(unauthorized(DrainLayer::new(), longer).await, StatusCode::UNAUTHORIZED);
    assert_eq!(read.load(Ordering::Relaxed), 0, "its end would not be reached");

    let (body, read) = upload(10, End::Never);
    let timed_out = refused(DrainLayer::new(), Request::new(body), StatusCode::REQUEST_TIMEOUT).await;
    assert_eq!((timed_out, read.load(Ordering::Relaxed)), (StatusCode::REQUEST_TIMEOUT, 0));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_not_asked() {
    for (version, chunks) in [(Version::HTTP_11, 0), (Version::HTTP_2, 10)] {
        let (body, read) = upload(10, End::Clean);
        let request =
            Request::post("/").version(version).header("expect", "100-continue").body(body).unwrap();
        refused(DrainLayer::new(), request, StatusCode::UNAUTHORIZED).await;
        assert_eq!(read.load(Ordering::Relaxed), chunks, "{version:?}");
    }
}

#[tokio::test]
async fn a_body_that_the_inner_service_keeps_delays_nothing() {
    let kept = Arc::<Mutex<Option<RequestBody<Upload>>>>::default();
    let keep = Arc::clone(&kept);
    let inner = service_fn(move |request: Request<RequestBody<Upload>>| {
        *keep.lock().unwrap() = Some(request.into_body());
        ready(Ok::<_, Infallible>(refusal(StatusCode::OK)))
    });
    let (body, read) = upload(10, End::Never);
    let response = DrainLayer::new().layer(inner).oneshot(Request::post("/").body(body).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(read.load(Ordering::Relaxed), 0);
    let mut body = kept.lock().unwrap().take().unwrap();
    assert!(body.frame().await.is_some(), "the echo can still be read");
}

#[tokio::test]
async fn of_two_layers_one_reads() {
    let inner = service_fn(|_| ready(Ok::<_, Infallible>(refusal(StatusCode::UNAUTHORIZED))));
    let layer = DrainLayer::new().max_bytes(1000);
    let (endless, read) = upload(usize::MAX, End::Never);
    let response = layer.layer(layer.layer(inner)).oneshot(Request::post("/").body(endless).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(read.load(Ordering::Relaxed), 101);
}

#[test]
fn a_request_without_a_body_needs_no_runtime() {
    let inner = service_fn(|_| ready(Ok::<_, Infallible>(refusal(StatusCode::OK))));
    let mut service = DrainLayer::new().layer(inner);
    let (body, _) = upload(0, End::Clean);
    let answer = pin!(service.call(Request::get("/").body(body).unwrap()));
    let Poll::Ready(response) = answer.poll(&mut Context::from_waker(std::task::Waker::noop())) else {
        panic!("it waits");
    };
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}
