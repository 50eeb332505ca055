//! Tickets in the URL, in front of a service that is not ours.
#![cfg(feature = "ticket")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    time::{Duration, SystemTime},
};

use agent_webkit_layers::{
    auth::{AnyOf, AuthLayer, Principal, Scopes, StaticTokens},
    ticket::{Digest, Grant, IssueError, MemoryStore, StoreError, TicketLayer, TicketStore, Tickets},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// Returns the room of `GET /rooms/{id}/feed`, which a ticket opens.
fn feed(request: &Parts) -> Option<String> {
    let room = request.uri.path().strip_prefix("/rooms/")?.strip_suffix("/feed")?;
    (request.method == Method::GET).then(|| room.to_owned())
}

/// Answers with the principal, its scopes, and the URI that reaches the service.
async fn tell(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let principal = request.extensions().get::<Principal>().expect("a principal");
    let text = format!("{} {:?} {}", principal.name, principal.scopes, request.uri());
    Ok(Response::new(Full::from(text)))
}

async fn ask<S>(tickets: &Tickets<S>, method: Method, uri: &str, token: Option<&str>) -> (StatusCode, String)
where
    S: TicketStore + Clone,
{
    let tokens = StaticTokens::default().with("ada", "s3cret").unwrap();
    let service = ServiceBuilder::new()
        .layer(TicketLayer::new())
        .layer(AuthLayer::new(AnyOf::new(tokens, tickets.verifier(feed))))
        .service(service_fn(tell));
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let (parts, body) = service.oneshot(request.body(()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get<S: TicketStore + Clone>(tickets: &Tickets<S>, uri: &str) -> (StatusCode, String) {
    ask(tickets, Method::GET, uri, None).await
}

fn reader() -> Principal {
    Principal::new("ada").with_scopes(Scopes::of(["read"]))
}

/// The answer to every invalid credential, whatever is wrong with it.
fn refused() -> (StatusCode, String) {
    (StatusCode::UNAUTHORIZED, r#"{"detail":"the bearer token is not valid"}"#.to_owned())
}

#[tokio::test]
async fn a_ticket_opens_its_resource_again_and_again() {
    let tickets = Tickets::default();
    let issued = tickets.issue("7", reader()).await.unwrap();
    assert_eq!(issued.expires_in, Duration::from_secs(60));
    for _ in 0..3 {
        let answer = get(&tickets, &format!("/rooms/7/feed?a=1&ticket={}&b=2", issued.ticket)).await;
        assert_eq!(answer, (StatusCode::OK, r#"ada {"read"} /rooms/7/feed?a=1&b=2"#.to_owned()));
    }
}

#[tokio::test]
async fn a_ticket_opens_nothing_else() {
    let tickets = Tickets::default();
    let ticket = tickets.issue("7", reader()).await.unwrap().ticket;
    for (method, path) in [
        (Method::GET, "/rooms/8/feed"),
        (Method::GET, "/rooms/7"),
        (Method::GET, "/rooms/7/feed/"),
        (Method::GET, "/rooms//feed"),
        (Method::POST, "/rooms/7/feed"),
        (Method::POST, "/rooms/7/input"),
        (Method::DELETE, "/rooms/7"),
        (Method::GET, "/"),
    ] {
        let answer = ask(&tickets, method.clone(), &format!("{path}?ticket={ticket}"), None).await;
        assert_eq!(answer, refused(), "{method} {path}");
    }
    let as_a_token = ask(&tickets, Method::GET, "/rooms/7/feed", Some(&ticket)).await;
    assert_eq!(as_a_token, refused());
}

#[tokio::test]
async fn what_is_no_ticket_is_refused_like_any_credential() {
    let tickets = Tickets::default();
    let ticket = tickets.issue("7", reader()).await.unwrap().ticket;
    let (upper, longer) = (ticket.to_uppercase(), format!("{ticket}{}", "0".repeat(1 << 12)));
    let twice = format!("{ticket}&ticket={ticket}");
    for wrong in ["", "nope", &ticket[1..], &upper, &longer, &twice, "%00", "..%2f..%2fetc"] {
        assert_eq!(get(&tickets, &format!("/rooms/7/feed?ticket={wrong}")).await, refused(), "{wrong}");
    }
    assert_eq!(get(&Tickets::default(), &format!("/rooms/7/feed?ticket={ticket}")).await, refused());
    let (status, body) = get(&tickets, "/rooms/7/feed").await;
    assert_eq!((status, &*body), (StatusCode::UNAUTHORIZED, r#"{"detail":"a bearer token is needed"}"#));
}

#[tokio::test]
async fn a_ticket_expires_with_its_lifetime_or_its_credential() {
    let at_once = Tickets::default().lifetime(Duration::ZERO);
    let ticket = at_once.issue("7", reader()).await.unwrap().ticket;
    assert_eq!(get(&at_once, &format!("/rooms/7/feed?ticket={ticket}")).await, refused());

    let tickets = Tickets::default();
    let soon = reader().expiring_at(SystemTime::now() + Duration::from_secs(10));
    let issued = tickets.issue("7", soon).await.unwrap();
    assert!(issued.expires_in <= Duration::from_secs(10), "{issued:?}");
    assert_eq!(get(&tickets, &format!("/rooms/7/feed?ticket={}", issued.ticket)).await.0, StatusCode::OK);

    let gone = reader().expiring_at(SystemTime::UNIX_EPOCH);
    let ticket = tickets.issue("7", gone).await.unwrap().ticket;
    assert_eq!(get(&tickets, &format!("/rooms/7/feed?ticket={ticket}")).await, refused());
}

#[tokio::test]
async fn another_credential_beside_the_ticket_still_holds() {
    let tickets = Tickets::default();
    let answer = ask(&tickets, Method::POST, "/rooms/8?ticket=stale&a", Some("s3cret")).await;
    assert_eq!(answer, (StatusCode::OK, "ada all /rooms/8?a".to_owned()));
}

#[tokio::test]
async fn a_principals_tickets_are_limited_in_number() {
    let tickets = Tickets::default().per_principal(2);
    let mut issued = Vec::new();
    for _ in 0..3 {
        issued.push(tickets.issue("7", reader()).await.unwrap().ticket);
    }
    let mut holding = 0;
    for ticket in &issued {
        holding += usize::from(get(&tickets, &format!("/rooms/7/feed?ticket={ticket}")).await.0 == 200);
    }
    assert_eq!(holding, 2);
    assert_eq!(
        get(&tickets, &format!("/rooms/7/feed?ticket={}", issued[2])).await.0,
        200,
        "the newest holds"
    );

    let full = Tickets::new(MemoryStore::capacity(0));
    assert_eq!(full.issue("7", reader()).await.unwrap_err(), IssueError);
}

#[tokio::test]
async fn no_two_tickets_are_alike_and_debug_shows_none() {
    let tickets = Tickets::default();
    let (a, b) = (tickets.issue("7", reader()).await.unwrap(), tickets.issue("7", reader()).await.unwrap());
    assert_ne!(a.ticket, b.ticket);
    assert_eq!(a.ticket.len(), 64);
    for shown in [format!("{a:?}"), format!("{tickets:?}")] {
        assert!(!shown.contains(&a.ticket), "{shown}");
    }
}

/// A ticket store whose reads fail.
#[derive(Clone)]
struct Down(std::sync::Arc<std::sync::Mutex<Vec<Digest>>>);

impl TicketStore for Down {
    type Get = Ready<Result<Option<Grant>, StoreError>>;

    async fn put(&self, digest: Digest, _: Grant, _: usize) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(digest);
        Ok(())
    }

    fn get(&self, _: Digest) -> Self::Get {
        ready(Err(StoreError))
    }
}

#[tokio::test]
async fn a_store_sees_digests_and_its_failure_is_503() {
    let seen = std::sync::Arc::default();
    let tickets = Tickets::new(Down(std::sync::Arc::clone(&seen)));
    let ticket = tickets.issue("7", reader()).await.unwrap().ticket;
    let hex: String = seen.lock().unwrap()[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(hex, ticket);
    let (status, _) = get(&tickets, &format!("/rooms/7/feed?ticket={ticket}")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
