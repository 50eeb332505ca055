use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body, http::Request, routing::get};
use http::StatusCode;
use http_body_util::BodyExt;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{rig::serve, tenants_example};

fn token(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    format!("Bearer {}", encode(&Header::default(), claims, &key).unwrap())
}

async fn send(app: &Router, path: &str, authorization: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("authorization", authorization).body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_tenant_reaches_its_own_upstream_and_no_other() {
    let mut upstreams = HashMap::new();
    for name in ["acme", "globex"] {
        let app = Router::new().fallback(get(move |uri: http::Uri| async move { format!("{name}{uri}") }));
        upstreams.insert(name.to_owned(), serve(app).await);
    }
    let app = tenants_example::app("s3cret", upstreams);
    let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
    let exp = in_an_hour.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let of = |tenant: &str| token(&json!({"tenant": tenant, "exp": exp}), "s3cret");

    for _ in 0..2 {
        let own = send(&app, "/acme/rooms?x=1", &of("acme")).await;
        assert_eq!(own, (StatusCode::OK, "acme/acme/rooms?x=1".to_owned()));
        let (status, other) = send(&app, "/globex/rooms", &of("acme")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(serde_json::from_str::<Value>(&other).unwrap()["title"], "Not Found");
        assert_eq!(
            send(&app, "/none/rooms", &of("acme")).await,
            (status, other),
            "nobody learns which exist"
        );
        assert_eq!(send(&app, "/globex/", &of("globex")).await.1, "globex/globex/");
    }
    for wrong in [
        token(&json!({"tenant": "acme", "exp": exp}), "guess"),
        token(&json!({"tenant": "acme", "exp": 1}), "s3cret"),
    ] {
        let (status, problem) = send(&app, "/acme/rooms", &wrong).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(serde_json::from_str::<Value>(&problem).unwrap()["status"], 401);
    }
}
