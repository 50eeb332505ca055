//! Streams that end when their credential expires. Time is paused and jumps to the next timer.
#![cfg(feature = "expiry")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use agent_webkit_layers::auth::{
    Principal, Revocation,
    expiry::{CredentialEnd, ExpiryLayer},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, Interval, interval};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const MINUTE: Duration = Duration::from_secs(60);

/// A body with a frame every ten seconds, for ever. It holds the `Arc` whose count is the number of readers.
struct Ticks(Interval, #[expect(dead_code, reason = "held")] Arc<()>);

impl Body for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(cx).map(|_| Some(Ok(Frame::data(Bytes::from_static(b"data: tick\n\n")))))
    }
}

/// A body of three to nine bytes that never arrive.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(3);
        hint.set_upper(9);
        hint
    }
}

async fn body_for<B: Body + 'static>(
    principal: Option<Principal>,
    body: B,
) -> impl Body<Data = B::Data, Error = B::Error> {
    let mut body = Some(body);
    let inner = service_fn(move |_: Request<()>| {
        let body = body.take().expect("one request");
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let service = ServiceBuilder::new().layer(ExpiryLayer::new()).service(inner);
    let mut request = Request::new(());
    if let Some(principal) = principal {
        request.extensions_mut().insert(principal);
    }
    service.oneshot(request).await.unwrap().into_body()
}

fn expiring(after: Duration) -> Option<Principal> {
    Some(Principal::new("ada").expiring_at(SystemTime::now() + after))
}

fn ticks() -> (Ticks, Arc<()>) {
    let readers = Arc::new(());
    (Ticks(interval(Duration::from_secs(10)), readers.clone()), readers)
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_cleanly_when_the_credential_does() {
    let started = Instant::now();
    let (stream, readers) = ticks();
    let mut body = Box::pin(body_for(expiring(MINUTE), stream).await);
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        whole.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    let lasted = started.elapsed();
    assert!(
        (MINUTE - Duration::from_secs(1)..=MINUTE + Duration::from_secs(1)).contains(&lasted),
        "{lasted:?}"
    );
    assert_eq!(whole.len() % b"data: tick\n\n".len(), 0, "it ends between two frames");
    assert!(whole.len() >= 6 * b"data: tick\n\n".len(), "it lived until then");
    assert!(body.is_end_stream());
    assert_eq!(
        Arc::strong_count(&readers),
        1,
        "what the stream held is let go, the body itself is not dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_in_time_as_well() {
    let mut body = Box::pin(body_for(expiring(MINUTE), Silent).await);
    let waited = tokio::time::timeout(2 * MINUTE, body.frame()).await;
    assert!(waited.expect("the end comes by itself").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_principal_of_another_type_tells_when_it_ends() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Silent)) });
    let layer = ExpiryLayer::by(|extensions| CredentialEnd {
        expires_at: extensions.get::<SystemTime>().copied(),
        revocation: None,
    });
    let service = ServiceBuilder::new().layer(layer).service(inner);
    let mut request = Request::new(());
    request.extensions_mut().insert(SystemTime::now() + MINUTE);
    let mut body = Box::pin(service.oneshot(request).await.unwrap().into_body());
    let waited = tokio::time::timeout(2 * MINUTE, body.frame()).await;
    assert!(waited.expect("the end comes by itself").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_credential_without_an_end_cuts_nothing() {
    for principal in [None, Some(Principal::new("ada")), expiring(Duration::from_secs(u64::MAX >> 32))] {
        let (stream, _readers) = ticks();
        let mut body = Box::pin(body_for(principal, stream).await);
        for _ in 0..1000 {
            assert!(body.frame().await.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_credential_gets_no_frame_at_all() {
    let (stream, _readers) = ticks();
    let gone = Some(Principal::new("ada").expiring_at(SystemTime::now() - MINUTE));
    assert!(Box::pin(body_for(gone, stream).await).frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_never_cut_short() {
    let body = Box::pin(body_for(expiring(MINUTE), Full::new(Bytes::from_static(b"whole"))).await);
    assert_eq!(body.size_hint().exact(), Some(5));
    tokio::time::advance(2 * MINUTE).await;
    assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_may_be_cut_promises_no_length() {
    let hint = body_for(expiring(MINUTE), Silent).await.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (0, Some(9)));
    let hint = body_for(None, Silent).await.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (3, Some(9)));
}

#[tokio::test]
async fn a_stream_ends_when_its_credential_is_revoked_and_others_go_on() {
    let [revocation, other] = [Revocation::new(), Revocation::new()];
    let revocable = |revocation: &Revocation| Some(Principal::new("ada").revocable_by(revocation.clone()));
    let mut silent = Box::pin(body_for(revocable(&revocation), Silent).await);
    let (stream, readers) = ticks();
    let mut ticking = Box::pin(body_for(revocable(&revocation), stream).await);
    let (stream, _others) = ticks();
    let mut untouched = Box::pin(body_for(revocable(&other), stream).await);
    assert!(ticking.frame().await.is_some());

    let waiting = tokio::spawn(async move { silent.frame().await.is_none() });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    revocation.revoke();
    assert!(waiting.await.unwrap(), "one that waits is woken");
    assert!(ticking.frame().await.is_none() && ticking.is_end_stream());
    assert_eq!(Arc::strong_count(&readers), 1);
    assert!(untouched.frame().await.is_some());

    let (stream, _readers) = ticks();
    assert!(Box::pin(body_for(revocable(&revocation), stream).await).frame().await.is_none(), "too late");
    let whole = Box::pin(body_for(revocable(&revocation), Full::new(Bytes::from_static(b"whole"))).await);
    assert_eq!(whole.collect().await.unwrap().to_bytes(), "whole");
}
