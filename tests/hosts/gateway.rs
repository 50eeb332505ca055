//! Gateways made of our layers in front of our server. The gateway authenticates the clients, the server
//! authenticates the gateway.
//!
//! - [`passing`] authenticates, looks the session up at the server before it forwards a request, and forwards
//!   the
//!   server's streams with `Last-Event-ID`.
//! - [`recording`] also records the server's streams, as it would any upstream's, and serves its readers from
//!   the
//!   recordings. The `session_state` frame, which has no id, gets a number there like any other.

use std::{convert::Infallible, sync::Arc, time::Duration};

use agent_webkit::{
    layers::{
        auth::{AuthLayer, Principal, StaticTokens},
        lookup::{LookupLayer, Resolve, Unavailable, resolve_fn},
        resume::{RecordLayer, RingConfig, RingLog},
    },
    service::session_id,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service, ServiceBuilder, service_fn};

use crate::{
    host::{ADA, BOB, FakeStack, MAX_BODY, Mounted, Place, WINDOW, behind_a_gateway},
    mount::{bare_hyper, serve},
};

pub(crate) fn passing(stack: FakeStack, place: Place) -> Mounted {
    let serving = Box::pin(async move {
        let upstream = Upstream::start(stack, place.ended.clone()).await;
        let service = ServiceBuilder::new()
            .layer(AuthLayer::new(clients()))
            .layer(LookupLayer::new(session_id, upstream.lookup()).not_found("there is no such session"))
            .service(upstream.proxy());
        serve(service, place, upstream.gone()).await;
    });
    Mounted { prefix: "", serving }
}

pub(crate) fn recording(stack: FakeStack, place: Place) -> Mounted {
    let serving = Box::pin(async move {
        let upstream = Upstream::start(stack, place.ended.clone()).await;
        // One recording per session and principal, so that nobody reads a recording made for another.
        let key = |request: &Parts| {
            let caller = request.extensions.get::<Principal>()?;
            let path = request.uri.path();
            let reads = [Method::GET, Method::HEAD].contains(&request.method);
            (reads && path.ends_with("/stream")).then(|| format!("{} {path}", caller.name))
        };
        let log = RingLog::new(RingConfig::default().window_events(WINDOW as usize));
        let record = RecordLayer::new(log, key).keepalive(Duration::from_millis(100));
        let recordings = record.recordings();
        let service = ServiceBuilder::new()
            .layer(AuthLayer::new(clients()))
            .layer(LookupLayer::new(session_id, upstream.lookup()).not_found("there is no such session"))
            .layer(record)
            .service(upstream.proxy());
        let end_streams = async move {
            upstream.gone().await;
            recordings.shutdown().await;
        };
        serve(service, place, end_streams).await;
    });
    Mounted { prefix: "", serving }
}

/// The clients' tokens at the gateway.
fn clients() -> StaticTokens {
    StaticTokens::default().with("ada", ADA).unwrap().with("bob", BOB).unwrap()
}

/// The server behind a gateway.
#[derive(Debug)]
struct Upstream {
    url: Arc<str>,
    serving: tokio::task::JoinHandle<()>,
}

impl Upstream {
    async fn start(stack: FakeStack, ended: CancellationToken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).into();
        let serving = tokio::spawn(bare_hyper(stack, Place { listener, ended }).serving);
        Self { url, serving }
    }

    /// Waits until the server has ended.
    async fn gone(self) {
        self.serving.await.unwrap();
    }

    /// Looks up whether this caller has the session.
    fn lookup(&self) -> impl Resolve<Value = (), Future: Send> + Clone + use<> {
        let (url, http) = (Arc::clone(&self.url), http());
        resolve_fn(move |id: &str, request: &Parts| {
            let caller = request.extensions.get::<Principal>().expect("a caller");
            let ask = Request::head(format!("{url}/sessions/{id}"))
                .header(header::AUTHORIZATION, format!("Bearer {}", behind_a_gateway(&caller.name)))
                .body(Full::default());
            let http = http.clone();
            async move {
                // An id that cannot be part of a path belongs to no session.
                let Ok(ask) = ask else { return Ok(None) };
                let answer = http.request(ask).await.map_err(|_| Unavailable::default())?;
                Ok(answer.status().is_success().then_some(()))
            }
        })
    }

    /// Forwards a request on behalf of its principal.
    fn proxy(
        &self,
    ) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + use<> {
        let (url, http) = (Arc::clone(&self.url), http());
        service_fn(move |mut request: Request<Incoming>| {
            let caller = request.extensions().get::<Principal>().expect("a caller");
            let token = HeaderValue::try_from(format!("Bearer {}", behind_a_gateway(&caller.name))).unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, token);
            request.headers_mut().remove(header::HOST);
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = format!("{url}{path}").parse().unwrap();
            *request.version_mut() = Version::HTTP_11;
            let http = http.clone();
            async move {
                let (head, body) = request.into_parts();
                // The whole body is read first, so that a client with too long a body gets the 413 and the
                // gateway does not forward a part.
                let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
                    let longest = format!("the body is longer than {MAX_BODY} bytes");
                    return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, &longest));
                };
                let request = Request::from_parts(head, Full::new(body.to_bytes()));
                Ok(match http.request(request).await {
                    Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
                    Err(error) => refusal(StatusCode::BAD_GATEWAY, &error.to_string()),
                })
            }
        })
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

fn http() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
}

fn refusal(status: StatusCode, detail: &str) -> Answer {
    let body = serde_json::json!({ "detail": detail }).to_string();
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
