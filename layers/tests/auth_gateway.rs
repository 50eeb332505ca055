//! Authentication that fits a gateway: principals of any type, answers of any shape, optional credentials, and tokens in
//! a cookie or the query.
#![cfg(feature = "auth")]

use std::{convert::Infallible, future::ready};

use agent_webkit_layers::{
    auth::{AnyOf, Auth, AuthLayer, BoxVerify, Denied, Principal, StaticTokens, Verify, bearer, verify_fn},
    reply::{Problems, Refusal},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};

/// The head of an answer and its body.
type Got = (StatusCode, HeaderMap, String);
type Headers = &'static [(&'static str, &'static str)];
type Inner = BoxCloneService<Request<()>, Response<Full<Bytes>>, Infallible>;

/// A service that answers with what it finds of the caller: the principal's name, and the headers and URL that it got.
fn echo() -> Inner {
    BoxCloneService::new(service_fn(|request: Request<()>| {
        let name = request.extensions().get::<Principal>().map_or("nobody", |principal| &*principal.name);
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        let text = format!("{name} {} {}", request.uri(), names.join(","));
        ready(Ok(Response::new(Full::from(text))))
    }))
}

async fn send<V>(service: Auth<Inner, V>, request: Request<()>) -> Got
where
    V: Verify + Clone,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let builder =
        headers.iter().fold(Request::get(uri), |builder, (name, value)| builder.header(*name, *value));
    builder.body(()).unwrap()
}

fn layer() -> AuthLayer<StaticTokens> {
    AuthLayer::new(StaticTokens::default().with("ada", "s3cret").unwrap())
}

#[derive(Clone, Debug, PartialEq)]
struct Tenant {
    name: String,
    plan: u8,
}

/// Tokens of the form `tenant-plan`.
fn tenants() -> impl Verify<Principal = Tenant, Future: Send> + Clone + Send + Sync {
    verify_fn(|parts: &Parts| {
        let read = |token: &str| {
            let (name, plan) = token.split_once('-')?;
            Some(Tenant { name: name.to_owned(), plan: plan.parse().ok()? })
        };
        ready(bearer(&parts.headers).and_then(|token| read(token).ok_or(Denied::Invalid)))
    })
}

#[tokio::test]
async fn a_principal_of_any_type_reaches_the_service() {
    let inner = service_fn(|request: Request<()>| {
        assert!(request.extensions().get::<Principal>().is_none());
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(format!(
            "{:?}",
            request.extensions().get::<Tenant>().expect("a tenant")
        )))))
    });
    let beta = verify_fn(|parts: &Parts| {
        let known = parts.headers.contains_key("x-beta");
        ready(if known { Ok(Tenant { name: "beta".to_owned(), plan: 9 }) } else { Err(Denied::Missing) })
    });
    let mut service = AuthLayer::new(BoxVerify::new(AnyOf::new(tenants(), beta))).layer(inner);
    for (name, value, wanted) in [
        ("authorization", "Bearer acme-2", r#"Tenant { name: "acme", plan: 2 }"#),
        ("x-beta", "1", r#"Tenant { name: "beta", plan: 9 }"#),
    ] {
        let answer = service.ready().await.unwrap().call(get("/", &[(name, value)])).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), wanted);
    }
    let answer =
        service.ready().await.unwrap().call(get("/", &[("authorization", "Bearer acme")])).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn problem_details_have_the_refusals_headers() {
    let service = layer().render(Problems).layer(echo());
    let (status, headers, body) = send(service.clone(), get("/", &[])).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    let wanted = serde_json::json!({
        "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "a bearer token is needed",
    });
    assert_eq!(problem, wanted);

    let mut head = get("/", &[]);
    *head.method_mut() = Method::HEAD;
    let (status, headers, empty) = send(service, head).await;
    assert_eq!((status, &*empty), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string().as_str());
}

#[tokio::test]
async fn a_hook_makes_any_answer_from_the_refusal_and_the_request() {
    let hook = |refusal: Refusal, request: &Parts| {
        assert_eq!(refusal.challenge().unwrap(), "Bearer");
        let to = format!("/sign-in?back={}", request.uri.path());
        Response::builder()
            .status(303)
            .header(header::LOCATION, to)
            .body(Bytes::from_static(b"sign in"))
            .unwrap()
    };
    let (status, headers, body) = send(layer().render(hook).layer(echo()), get("/rooms", &[])).await;
    assert_eq!((status, &*body), (StatusCode::SEE_OTHER, "sign in"));
    assert_eq!(headers[header::LOCATION], "/sign-in?back=/rooms");
    assert!(!headers.contains_key(header::WWW_AUTHENTICATE), "the answer is the hook's alone");
}

#[tokio::test]
async fn a_challenge_names_the_resources_metadata() {
    let url = Uri::from_static("https://mcp.example.com/.well-known/oauth-protected-resource/a\"b\\c");
    let service = layer().resource_metadata(&url).layer(echo());
    let metadata =
        r#"resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/a%22b%5Cc""#;
    let (_, headers, body) = send(service.clone(), get("/", &[])).await;
    assert_eq!(headers[header::WWW_AUTHENTICATE], format!("Bearer {metadata}").as_str());
    assert_eq!(body, r#"{"detail":"a bearer token is needed"}"#);
    let (_, headers, _) = send(service, get("/", &[("authorization", "Bearer x")])).await;
    let both = format!("Bearer error=\"invalid_token\", {metadata}");
    assert_eq!(headers[header::WWW_AUTHENTICATE], both.as_str());

    let down = verify_fn(|_: &Parts| ready(Err::<Principal, _>(Denied::Unavailable)));
    let service = AuthLayer::new(down).resource_metadata(&url).layer(echo());
    let (status, headers, _) = send(service, get("/", &[])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!headers.contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn an_optional_credential_may_be_absent_but_not_wrong() {
    let service = layer().optional().layer(echo());
    let (status, _, body) = send(service.clone(), get("/", &[])).await;
    assert_eq!((status, &*body), (StatusCode::OK, "nobody / "));
    let (_, _, body) = send(service.clone(), get("/", &[("authorization", "Bearer s3cret")])).await;
    assert_eq!(body, "ada / authorization");
    for wrong in ["Bearer x", "Basic czpz", ""] {
        let (status, ..) = send(service.clone(), get("/", &[("authorization", wrong)])).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_token_may_come_in_a_cookie_or_the_query_and_the_request_stays_as_it_came() {
    let service = layer().token_query("access_token").token_cookie("session").layer(echo());
    let cases: [(&str, Headers, &str); 5] = [
        ("/?access_token=s3cret", &[], "ada /?access_token=s3cret "),
        ("/?a=1&access_token=s%33cret", &[("cookie", "session=x")], "ada /?a=1&access_token=s%33cret cookie"),
        ("/", &[("cookie", "a=b; session=s3cret")], "ada / cookie"),
        ("/", &[("cookie", "sessions=x"), ("cookie", "session=\"s3cret\"")], "ada / cookie"),
        ("/?access_token=x", &[("authorization", "Bearer s3cret")], "ada /?access_token=x authorization"),
    ];
    for (uri, headers, wanted) in cases {
        let (status, _, body) = send(service.clone(), get(uri, headers)).await;
        assert_eq!((status, &*body), (StatusCode::OK, wanted), "{uri} {headers:?}");
    }
}

#[tokio::test]
async fn a_token_in_another_place_is_refused_like_one_in_the_header() {
    let service = layer().token_query("access_token").token_cookie("session").layer(echo());
    let cases: [(&str, Headers); 8] = [
        ("/?access_token=x", &[]),
        ("/?access_token=s3cret&access_token=s3cret", &[]),
        ("/?access_token=x", &[("cookie", "session=s3cret")]),
        ("/?access_token=s3cret%0A", &[]),
        ("/?access_token=s3cret+", &[("authorization", "Basic czpz")]),
        ("/", &[("cookie", "session=s3cret; session=s3cret")]),
        ("/", &[("cookie", "session=s3cret"), ("cookie", "session=other")]),
        ("/", &[("cookie", "session=x")]),
    ];
    for (uri, headers) in cases {
        let (status, answer, _) = send(service.clone(), get(uri, headers)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{uri} {headers:?}");
        assert_eq!(answer[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"", "{uri} {headers:?}");
    }
    for none in ["/", "/?access_token", "/?access_token=", "/?access_tokens=s3cret"] {
        let (_, answer, _) =
            send(service.clone(), get(none, &[("cookie", "session=; Session=s3cret")])).await;
        assert_eq!(answer[header::WWW_AUTHENTICATE], "Bearer", "{none}");
    }
    let (status, ..) =
        send(layer().layer(echo()), get("/?access_token=s3cret", &[("cookie", "session=s3cret")])).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "by default a token is in the header alone");
}
