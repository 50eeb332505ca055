//! Bearer authentication in front of a service that is not ours.
#![cfg(feature = "auth")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use agent_webkit_layers::auth::{
    AuthLayer, Denied, Disabled, Principal, StaticTokens, Verify, bearer, verify_fn,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// Answers with the principal's name, whether the `Authorization` header is marked as sensitive, and the
/// body.
async fn greet(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let name = parts.extensions.get::<Principal>().expect("a principal").name.clone();
    let sensitive = parts.headers.get_all(header::AUTHORIZATION).iter().all(http::HeaderValue::is_sensitive);
    let body = body.collect().await.unwrap().to_bytes();
    let text = format!("{name} {sensitive} {}", body.escape_ascii());
    Ok(Response::builder().header("x-inner", "1").body(Full::from(text)).unwrap())
}

fn request(authorization: &[&str]) -> Request<Full<Bytes>> {
    let builder = authorization
        .iter()
        .fold(Request::post("/"), |builder, value| builder.header(header::AUTHORIZATION, *value));
    builder.body(Full::from("hi")).unwrap()
}

async fn send<V: Verify + Clone>(
    verifier: V,
    request: Request<Full<Bytes>>,
) -> (http::response::Parts, String) {
    let service = ServiceBuilder::new().layer(AuthLayer::new(verifier)).service(service_fn(greet));
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let exact = body.size_hint().exact().expect("a known length");
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(exact, body.len() as u64);
    (parts, String::from_utf8(body.to_vec()).unwrap())
}

fn tokens() -> StaticTokens {
    StaticTokens::new(["new", "old"]).unwrap().with("ada", "s3cret").unwrap()
}

#[tokio::test]
async fn a_known_token_reaches_the_service_as_its_principal() {
    let known = [("Bearer new", "default"), ("bearer  old", "default"), ("BEARER s3cret ", "ada")];
    for (authorization, name) in known {
        let (parts, body) = send(tokens(), request(&[authorization])).await;
        assert_eq!(parts.status, StatusCode::OK, "{authorization}");
        assert_eq!(parts.headers["x-inner"], "1");
        assert_eq!(body, format!("{name} true hi"), "the request goes on whole, its credential marked");
    }
}

#[tokio::test]
async fn without_a_credential_the_answer_asks_for_one() {
    let (parts, body) = send(tokens(), request(&[])).await;
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    assert_eq!(parts.headers[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(parts.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(body, r#"{"detail":"a bearer token is needed"}"#);
}

#[tokio::test]
async fn every_credential_that_does_not_hold_gets_the_same_answer() {
    let huge = format!("Bearer {}", "x".repeat(1 << 20));
    let wrong: [&[&str]; 7] = [
        &["Bearer nope"],
        &["Bearer newer"],
        &["Basic bmV3Om5ldw=="],
        &["new"],
        &[""],
        &["Bearer new", "Bearer new"],
        &[&huge],
    ];
    let mut answers = Vec::new();
    for authorization in wrong {
        let (parts, body) = send(tokens(), request(authorization)).await;
        answers.push((parts.status, parts.headers, body));
    }
    let (status, headers, body) = &answers[0];
    assert_eq!(*status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    assert_eq!(body, r#"{"detail":"the bearer token is not valid"}"#);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
}

#[tokio::test]
async fn each_denial_has_its_status() {
    let say = |denied: Denied| verify_fn(move |_: &Parts| ready(Err::<Principal, _>(denied)));

    let (parts, body) = send(say(Denied::Forbidden), request(&["Bearer new"])).await;
    assert_eq!(parts.status, StatusCode::FORBIDDEN);
    assert!(!parts.headers.contains_key(header::WWW_AUTHENTICATE));
    assert_eq!(body, format!("{{\"detail\":\"{}\"}}", Denied::Forbidden));

    let (parts, body) = send(say(Denied::Unavailable), request(&["Bearer new"])).await;
    assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(parts.headers[header::RETRY_AFTER], "1");
    assert_eq!(body, format!("{{\"detail\":\"{}\"}}", Denied::Unavailable));
}

#[tokio::test]
async fn the_answer_to_head_has_the_headers_alone() {
    let service = ServiceBuilder::new().layer(AuthLayer::new(tokens())).service(service_fn(greet));
    let head = Request::head("/").body(Full::default()).unwrap();
    let answer = service.oneshot(head).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], "37");
    assert!(answer.body().is_end_stream());
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn disabled_lets_everyone_in_as_anonymous() {
    for authorization in [&[][..], &["Bearer whatever"], &["nonsense"]] {
        let (parts, body) = send(Disabled, request(authorization)).await;
        assert_eq!((parts.status, &*body), (StatusCode::OK, "anonymous true hi"));
    }
}

#[tokio::test]
async fn a_closure_may_take_its_time() {
    let slow = verify_fn(|parts: &Parts| {
        let token = bearer(&parts.headers).map(str::to_owned);
        async move {
            tokio::task::yield_now().await;
            token.map(Principal::new)
        }
    });
    assert_eq!(send(slow, request(&["Bearer eve"])).await.1, "eve true hi");
}

#[tokio::test]
async fn a_verifier_may_be_chosen_at_run_time() {
    type Decision = Ready<Result<Principal, Denied>>;
    type Chosen = Arc<dyn Verify<Principal = Principal, Future = Decision> + Send + Sync>;
    let checked: Chosen = Arc::new(tokens());
    let open: Chosen = Arc::new(Disabled);
    assert_eq!(send(checked, request(&[])).await.0.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(open, request(&[])).await.0.status, StatusCode::OK);
}

/// Fails the test if it is called without having been polled ready. A clone of a ready service is not ready.
struct NeedsReady {
    ready: bool,
    calls: Arc<AtomicUsize>,
    outcome: Result<(), &'static str>,
}

impl NeedsReady {
    fn new(outcome: Result<(), &'static str>) -> (Self, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        (Self { ready: false, calls: calls.clone(), outcome }, calls)
    }
}

impl Clone for NeedsReady {
    fn clone(&self) -> Self {
        Self { ready: false, calls: self.calls.clone(), outcome: self.outcome }
    }
}

impl Service<Request<Full<Bytes>>> for NeedsReady {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(self.outcome.map(|()| Response::default()))
    }
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_called() {
    let (inner, calls) = NeedsReady::new(Ok(()));
    let mut service = ServiceBuilder::new().layer(AuthLayer::new(tokens())).service(inner);
    for _ in 0..3 {
        let answer = service.ready().await.unwrap().call(request(&["Bearer new"])).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    service.ready().await.unwrap().call(request(&[])).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 3, "a denied request never reaches the inner service");
}

#[tokio::test]
async fn the_inner_error_passes_through() {
    let (inner, _) = NeedsReady::new(Err("inner"));
    let service = ServiceBuilder::new().layer(AuthLayer::new(Disabled)).service(inner);
    assert_eq!(service.oneshot(request(&[])).await.unwrap_err(), "inner");
}

#[tokio::test]
async fn a_request_that_is_given_up_while_it_is_verified_calls_nothing() {
    let (inner, calls) = NeedsReady::new(Ok(()));
    let verifier = verify_fn(|_: &Parts| std::future::pending::<Result<Principal, Denied>>());
    let mut service = ServiceBuilder::new().layer(AuthLayer::new(verifier)).service(inner);

    let mut waiting = Box::pin(service.ready().await.unwrap().call(request(&["Bearer new"])));
    let polled = Pin::new(&mut waiting).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(waiting);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&calls), 2, "the given up request left no service behind");
}

/// The types can be shared between threads and boxed, as hosts do.
#[test]
fn the_service_is_one_that_a_host_can_mount() {
    fn mount<T>(_: T)
    where
        T: Service<Request<Full<Bytes>>, Error = Infallible, Future: Send + 'static>,
        T: Clone + Send + Sync + 'static,
    {
    }
    let layer = AuthLayer::new(tokens());
    assert_eq!(format!("{layer:?}"), "AuthLayer { .. }");
    mount(ServiceBuilder::new().layer(layer).service(service_fn(greet)));
}
