//! Arguments of axum's handlers, and the layers as methods of a `ServiceBuilder`.
#![cfg(all(feature = "axum", feature = "auth", feature = "builder", feature = "lookup", feature = "resume"))]

use std::future::ready;

use agent_webkit_layers::{
    auth::{AuthLayer, Denied, Principal, StaticTokens, bearer, verify_fn},
    axum::{Caller, LastEventId},
    builder::ServiceBuilderExt,
    lookup::{Resolved, ids, resolve_fn},
    resume::{Attachment, Cursor, Event, EventStream, RingConfig, RingLog, RingStream},
};
use axum::{Router, body::Body, http::Request, routing::get};
use http::{StatusCode, request::Parts};
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};

async fn send(app: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn tokens() -> StaticTokens {
    StaticTokens::default().with("ada", "s3cret").unwrap()
}

const ADA: (&str, &str) = ("authorization", "Bearer s3cret");

#[tokio::test]
async fn a_principal_is_an_argument_and_in_an_option_it_may_be_absent() {
    let app = Router::new()
        .route("/must", get(async |caller: Principal| caller.name.to_string()))
        .route(
            "/may",
            get(async |caller: Option<Principal>| format!("{:?}", caller.map(|caller| caller.name))),
        )
        .layer(AuthLayer::new(tokens()).optional());
    assert_eq!(send(&app, "/must", &[ADA]).await, (StatusCode::OK, "ada".to_owned()));
    assert_eq!(send(&app, "/may", &[ADA]).await.1, r#"Some("ada")"#);
    assert_eq!(send(&app, "/may", &[]).await.1, "None");
    let refused = (StatusCode::UNAUTHORIZED, r#"{"detail":"a bearer token is needed"}"#.to_owned());
    assert_eq!(send(&app, "/must", &[]).await, refused);
}

#[derive(Clone)]
struct Tenant(String);

#[tokio::test]
async fn so_is_one_of_another_type() {
    let tenants = verify_fn(|request: &Parts| {
        let tenant: Result<_, Denied> = bearer(&request.headers).map(|token| Tenant(token.to_owned()));
        ready(tenant)
    });
    let app = Router::new()
        .route("/must", get(async |Caller(tenant): Caller<Tenant>| tenant.0))
        .route("/may", get(async |tenant: Option<Caller<Tenant>>| tenant.is_some().to_string()))
        .route("/other", get(async |_: Principal| ()))
        .layer(AuthLayer::new(tenants).optional());
    assert_eq!(send(&app, "/must", &[ADA]).await.1, "s3cret");
    assert_eq!(send(&app, "/may", &[]).await.1, "false");
    assert_eq!(send(&app, "/must", &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(&app, "/other", &[ADA]).await.0, StatusCode::UNAUTHORIZED, "it is no such principal");
}

#[tokio::test]
async fn what_was_looked_up_is_an_argument_behind_layers_of_a_builder() {
    let rooms = resolve_fn(|id: &str, _: &Parts| ready(Ok((id == "1").then_some("the library"))));
    let layers = ServiceBuilder::new().auth(tokens()).lookup(ids::path("/rooms/{id}"), rooms);
    let app = Router::new()
        .route("/rooms/{id}", get(async |Resolved(room): Resolved<&'static str>| room))
        .route("/must", get(async |_: Resolved<&'static str>| ()))
        .route("/may", get(async |room: Option<Resolved<&'static str>>| format!("{room:?}")))
        .layer(layers);
    assert_eq!(send(&app, "/rooms/1", &[ADA]).await.1, "the library");
    assert_eq!(send(&app, "/rooms/2", &[ADA]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        send(&app, "/rooms/1", &[]).await.0,
        StatusCode::UNAUTHORIZED,
        "auth is outside of the lookup"
    );
    assert_eq!(send(&app, "/must", &[ADA]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&app, "/may", &[ADA]).await.1, "None");
}

#[tokio::test]
async fn a_last_event_id_is_an_argument_and_what_is_no_number_a_400() {
    let show = async |LastEventId(cursor): LastEventId| match cursor {
        Cursor::Oldest => "oldest".to_owned(),
        Cursor::After(seq) => seq.to_string(),
    };
    let app = Router::new().route("/", get(show));
    assert_eq!(send(&app, "/", &[("last-event-id", "7")]).await.1, "7");
    assert_eq!(send(&app, "/?last_event_id=8", &[]).await.1, "8");
    assert_eq!(send(&app, "/", &[]).await.1, "oldest");
    let (status, body) = send(&app, "/", &[("last-event-id", "x")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body, r#"{"detail":"the last event id must be a sequence number in ASCII digits"}"#);
}

#[tokio::test]
async fn streams_are_attached_and_recorded_by_methods_of_the_builder() {
    let news = RingStream::new(RingConfig::default());
    news.append(Event::new("", "own").into()).await.unwrap();
    news.close();
    let attach =
        move |request: &Parts| (request.uri.path() == "/news").then(|| Attachment::new(news.clone()));
    let key = |request: &Parts| Some(request.uri.path().to_owned());
    let layers = ServiceBuilder::new().attach(attach).record(RingLog::default(), key);
    let upstream = get(async || ([("content-type", "text/event-stream")], "data: theirs\n\n"));
    let app = Router::new().fallback_service(layers.service(Router::new().fallback(upstream)));
    assert_eq!(send(&app, "/news", &[]).await.1, "id: 1\ndata: own\n\n");
    assert_eq!(send(&app, "/else", &[]).await.1, "id: 1\ndata: theirs\n\n");
}
