//! Several verifiers in front of one service, and token sets that change while they are in use.
#![cfg(feature = "auth")]

use std::{
    convert::Infallible,
    future::{pending, ready},
};

use agent_webkit_layers::auth::{
    AnyOf, AuthLayer, BoxVerify, Denied, Disabled, Principal, Scopes, StaticTokens, Verify, verify_fn,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let principal = request.extensions().get::<Principal>().expect("a principal");
    Ok(Response::new(Full::from(format!("{} {:?}", principal.name, principal.scopes))))
}

async fn send<V: Verify + Clone>(verifier: V, authorization: &str) -> (StatusCode, String) {
    let service = ServiceBuilder::new().layer(AuthLayer::new(verifier)).service(service_fn(greet));
    let request = Request::get("/").header(AUTHORIZATION, authorization).body(()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.to_vec()).unwrap())
}

async fn decide(verifier: impl Verify<Principal = Principal>) -> Result<Principal, Denied> {
    let (parts, ()) = Request::get("/").body(()).unwrap().into_parts();
    verifier.verify(&parts).await
}

fn says(decision: Result<&'static str, Denied>) -> BoxVerify {
    BoxVerify::new(verify_fn(move |_: &Parts| ready(decision.map(Principal::new))))
}

#[tokio::test]
async fn whom_either_verifier_knows_is_let_in() {
    let people = StaticTokens::default().with("ada", "a").unwrap();
    let robots = StaticTokens::default().with("ci", "c").unwrap();
    let third = StaticTokens::default().with("eve", "e").unwrap();
    let any = AnyOf::new(people, robots).or(third);
    for (token, name) in [("a", "ada"), ("c", "ci"), ("e", "eve")] {
        let answer = send(any.clone(), &format!("Bearer {token}")).await;
        assert_eq!(answer, (StatusCode::OK, format!("{name} all")));
    }
    let (status, body) = send(any, "Bearer x").await;
    assert_eq!((status, &*body), (StatusCode::UNAUTHORIZED, r#"{"detail":"the bearer token is not valid"}"#));
}

#[tokio::test]
async fn a_refusal_is_the_most_telling_of_both() {
    use Denied::{Forbidden, Invalid, Missing, Unavailable};
    let rising = [Missing, Invalid, Forbidden, Unavailable];
    for (i, a) in rising.into_iter().enumerate() {
        for (j, b) in rising.into_iter().enumerate() {
            let both = decide(AnyOf::new(says(Err(a)), says(Err(b)))).await;
            assert_eq!(both, Err(rising[i.max(j)]), "{a:?} and {b:?}");
        }
        let known = decide(AnyOf::new(says(Err(a)), says(Ok("ada")))).await;
        assert_eq!(known, Ok(Principal::new("ada")), "unavailable only when nobody accepts: {a:?}");
    }
}

#[tokio::test]
async fn the_first_that_knows_the_credential_decides_alone() {
    let never = verify_fn(|_: &Parts| pending());
    assert_eq!(decide(AnyOf::new(says(Ok("ada")), never)).await, Ok(Principal::new("ada")));
    assert_eq!(
        decide(AnyOf::new(says(Ok("ada")), says(Ok("bob")))).await,
        Ok(Principal::new("ada")),
        "the order is the host's"
    );
}

#[tokio::test]
async fn a_token_is_revoked_while_the_service_runs() {
    let tokens = StaticTokens::default().with("ada", "old").unwrap().with("ada", "new").unwrap();
    assert_eq!(send(tokens.clone(), "Bearer old").await.0, StatusCode::OK);
    tokens.replace(&StaticTokens::default().with("ada", "new").unwrap());
    assert_eq!(send(tokens.clone(), "Bearer old").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(tokens, "Bearer new").await.0, StatusCode::OK);
}

#[tokio::test]
async fn each_token_has_its_own_scopes() {
    let ada = |scopes| Principal::new("ada").with_scopes(scopes);
    let tokens = StaticTokens::default()
        .with_principal(ada(Scopes::of(["read"])), "reader")
        .unwrap()
        .with_principal(ada(Scopes::none()), "nothing")
        .unwrap()
        .with("ada", "everything")
        .unwrap();
    for (token, scopes) in [("reader", r#"{"read"}"#), ("nothing", "{}"), ("everything", "all")] {
        let (_, body) = send(tokens.clone(), &format!("Bearer {token}")).await;
        assert_eq!(body, format!("ada {scopes}"));
    }
}

#[tokio::test]
async fn a_boxed_verifier_decides_like_the_one_inside() {
    assert_eq!(decide(BoxVerify::new(Disabled)).await, Ok(Principal::new("anonymous")));
    let tokens = StaticTokens::new(["t"]).unwrap();
    assert_eq!(send(BoxVerify::new(tokens.clone()), "Bearer t").await, send(tokens, "Bearer t").await);
}
