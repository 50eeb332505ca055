//! Lookup of an id in front of a service that is not ours.
#![cfg(feature = "lookup")]

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use agent_webkit_layers::{
    lookup::{LookupLayer, Resolve, Resolved, Unavailable, ids, resolve_fn},
    reply::Problems,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// Answers with the value that was found.
async fn show(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let found = request.extensions().get::<Resolved<Arc<str>>>().map(|Resolved(value)| value.clone());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::from(format!("{found:?} {}", body.escape_ascii()))))
}

fn id_in_path(parts: &Parts) -> Option<String> {
    parts.uri.path().strip_prefix("/rooms/").map(str::to_owned)
}

/// Finds rooms, which exist only for their owners.
fn rooms() -> impl Resolve<Value = Arc<str>, Future: Send> + Clone + Send + Sync + 'static {
    resolve_fn(|id: &str, parts: &Parts| {
        let mine = parts.headers.get("x-owner").is_some_and(|owner| owner == "ada");
        let outcome = match id {
            "1" if mine => Ok(Some(Arc::from("the library"))),
            "down" => Err(Unavailable::default()),
            _ => Ok(None),
        };
        async move {
            tokio::task::yield_now().await;
            outcome
        }
    })
}

async fn send(request: Request<Full<Bytes>>) -> (http::response::Parts, String) {
    let layer = LookupLayer::new(id_in_path, rooms()).not_found("there is no such \"room\"");
    let service = ServiceBuilder::new().layer(layer).service(service_fn(show));
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str, owner: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("x-owner", owner).body(Full::from("hi")).unwrap()
}

#[tokio::test]
async fn what_the_id_names_is_in_the_extensions() {
    let (parts, body) = send(get("/rooms/1", "ada")).await;
    assert_eq!((parts.status, &*body), (StatusCode::OK, "Some(\"the library\") hi"));
}

#[tokio::test]
async fn a_request_without_an_id_passes_through_untouched() {
    let (parts, body) = send(get("/healthz", "ada")).await;
    assert_eq!((parts.status, &*body), (StatusCode::OK, "None hi"));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_yours_are_the_same_404() {
    let absent = send(get("/rooms/2", "ada")).await;
    let not_yours = send(get("/rooms/1", "eve")).await;
    assert_eq!(absent.0.status, StatusCode::NOT_FOUND);
    assert_eq!(absent.0.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(absent.1, r#"{"detail":"there is no such \"room\""}"#);
    assert_eq!(not_yours.0.status, absent.0.status);
    assert_eq!(not_yours.0.headers, absent.0.headers);
    assert_eq!(not_yours.1, absent.1);
}

#[tokio::test]
async fn a_hook_renders_both_refusals_and_ids_come_by_name() {
    let layer = LookupLayer::new(ids::path("/rooms/{id}"), rooms()).render(Problems);
    let service = ServiceBuilder::new().layer(layer).service(service_fn(show));
    for (path, status, retry) in [("/rooms/2", 404, None), ("/rooms/down", 503, Some("1"))] {
        let (parts, body) = service.clone().oneshot(get(path, "ada")).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((parts.status.as_u16(), problem["status"].as_u64()), (status, Some(status.into())));
        assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
        let seconds = parts.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        assert_eq!(seconds, retry);
    }
    assert_eq!(service.oneshot(get("/rooms/1", "ada")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_resolver_that_cannot_tell_is_a_503() {
    let (parts, body) = send(get("/rooms/down", "ada")).await;
    assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(parts.headers[header::RETRY_AFTER], "1");
    assert_eq!(body, r#"{"detail":"this cannot be looked up now, try again later"}"#);
}

#[tokio::test]
async fn the_answer_to_head_has_the_headers_alone() {
    let layer = LookupLayer::new(id_in_path, rooms());
    let service = ServiceBuilder::new().layer(layer).service(service_fn(show));
    let answer = service.oneshot(Request::head("/rooms/2").body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let length = r#"{"detail":"there is nothing with this id"}"#.len();
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], *length.to_string());
    assert!(answer.body().is_end_stream());
}

/// A resolver with its own state.
#[derive(Default)]
struct Table(Mutex<Vec<(&'static str, Arc<str>)>>);

impl Resolve for Table {
    type Value = Arc<str>;
    type Future = std::future::Ready<Result<Option<Arc<str>>, Unavailable>>;

    fn resolve(&self, id: &str, _parts: &Parts) -> Self::Future {
        let table = self.0.lock().unwrap();
        ready(Ok(table.iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone())))
    }
}

#[tokio::test]
async fn a_shared_table_is_seen_as_it_is_at_each_request() {
    let table = Arc::new(Table::default());
    let layer = LookupLayer::new(id_in_path, table.clone());
    let mut service = ServiceBuilder::new().layer(layer).service(service_fn(show));

    let before = service.ready().await.unwrap().call(get("/rooms/7", "")).await.unwrap();
    table.0.lock().unwrap().push(("7", Arc::from("the attic")));
    let after = service.ready().await.unwrap().call(get("/rooms/7", "")).await.unwrap();
    assert_eq!((before.status(), after.status()), (StatusCode::NOT_FOUND, StatusCode::OK));
}

#[cfg(feature = "auth")]
#[tokio::test]
async fn behind_auth_the_resolver_knows_the_principal() {
    use agent_webkit_layers::auth::{AuthLayer, Principal, StaticTokens};

    let tokens = StaticTokens::default().with("ada", "a").unwrap().with("eve", "e").unwrap();
    let resolver = resolve_fn(|_: &str, parts: &Parts| {
        let name = parts.extensions.get::<Principal>().map(|principal| principal.name.clone());
        ready(Ok(name.filter(|name| **name == *"ada")))
    });
    let service = ServiceBuilder::new()
        .layer(AuthLayer::new(tokens))
        .layer(LookupLayer::new(id_in_path, resolver))
        .service(service_fn(show));
    for (authorization, status) in [
        ("Bearer a", StatusCode::OK),
        ("Bearer e", StatusCode::NOT_FOUND),
        ("Bearer x", StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get("/rooms/1").header("authorization", authorization);
        let answer = service.clone().oneshot(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{authorization}");
    }
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
    let layer = LookupLayer::new(id_in_path, rooms());
    assert_eq!(format!("{layer:?}"), "LookupLayer { .. }");
    mount(ServiceBuilder::new().layer(layer).service(service_fn(show)));
}
