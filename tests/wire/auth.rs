//! Credentials of every kind, with the real server.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::support::{Events, Script, Server, TOKEN, eventually, skips_balanced};

const KEY: &str = include_str!("../../layers/tests/keys/ec.pem");

fn key() -> EncodingKey {
    EncodingKey::from_ec_pem(KEY.as_bytes()).expect("a key")
}

/// A token with this subject, lifetime and scope.
fn token(sub: &str, lasts: Duration, scope: &str) -> String {
    let exp = (SystemTime::now() + lasts).duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let claims = json!({"sub": sub, "iss": "https://id.test/", "aud": "agents", "exp": exp, "scope": scope});
    let header = Header { kid: Some("k".into()), ..Header::new(Algorithm::ES256) };
    encode(&header, &claims, &key()).expect("a token")
}

/// An identity provider that serves its keys and counts the requests.
async fn key_server() -> (String, Arc<AtomicUsize>) {
    let mut jwk = Jwk::from_encoding_key(&key(), Algorithm::ES256).expect("a key");
    jwk.common.key_id = Some("k".into());
    let body = json!({"keys": [jwk]}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut head = [0; 4096];
            let _ = connection.read(&mut head).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn tokens_have_names_and_scopes_and_are_revoked_by_a_signal() {
    let builder = Server::builder();
    let file = builder.dir("home").join("tokens");
    fs::write(&file, "ada:ada-1\nada:ada-watch:read\nbob:bob-1\n").unwrap();
    let server = builder.option("--tokens-file", &file).start().await;
    let as_ = |token| server.client().with_token(Some(token));

    let id = as_("ada-1").created(&json!({})).await;
    let path = format!("/sessions/{id}");
    assert_eq!(as_("ada-watch").get(&path).await.status, 200, "the same owner");
    assert_eq!(as_("ada-watch").input(&id, &json!({"type": "interrupt"})).await.status, 403);
    for stranger in ["bob-1", TOKEN] {
        assert_eq!(as_(stranger).get(&path).await.status, 404, "{stranger}");
        assert_eq!(as_(stranger).get("/sessions").await.json(), json!({"sessions": []}), "{stranger}");
    }

    let (watcher, kept) = (as_("ada-watch").events(&id).await, as_("ada-1").events(&id).await);
    fs::write(&file, "broken").unwrap();
    server.signal(Signal::HUP);
    eventually("the broken file is told", async || server.log().contains("stay as they were")).await;
    assert_eq!(as_("ada-1").get(&path).await.status, 200);

    fs::write(&file, "ada:ada-2\nada:ada-1\nbob:bob-1\n").unwrap();
    server.signal(Signal::HUP);
    ends(watcher).await;
    fs::write(&file, "ada:ada-2\n").unwrap();
    server.signal(Signal::HUP);
    ends(kept).await;
    for revoked in ["ada-1", "ada-watch", "bob-1"] {
        assert_eq!(as_(revoked).get(&path).await.status, 401, "{revoked}");
    }
    assert!(!server.log().contains("ada-2"), "no token is logged");
}

/// Waits for the end of a stream whose session goes on.
async fn ends(mut events: Events) {
    events.rest().await;
    assert_eq!(events.all("done").count(), 0, "the session goes on");
}

#[tokio::test]
async fn a_stream_ends_with_its_web_token_and_goes_on_with_the_next_one() {
    if skips_balanced("each host fetches the keys once") {
        return;
    }
    let (url, asked) = key_server().await;
    let server = Server::builder()
        .no_token()
        .option("--jwt-jwks", url)
        .option("--jwt-issuer", "https://id.test/")
        .option("--jwt-audience", "agents")
        .option("--jwt-leeway", "1ms")
        .start()
        .await;
    let as_ = |token: &str| server.client().with_token(Some(token));
    let hour = Duration::from_secs(3600);
    let driver = as_(&token("ada", hour, "read drive"));
    let id = driver.created(&json!({})).await;

    let short = as_(&token("ada", Duration::from_secs(3), "read"));
    let mut first = short.events(&id).await;
    driver.input(&id, &json!({"type": "user_message", "content": Script::text("Hello.")})).await;
    first.rest().await;
    assert_eq!(first.all("done").count(), 0, "the session goes on");
    assert_eq!(short.get(&format!("/sessions/{id}")).await.status, 401);

    let fresh = as_(&token("ada", hour, "read"));
    let mut second = fresh.events_after(&id, first.last_id()).await;
    if first.all("result").count() == 0 {
        second.until("result").await;
    }
    assert_eq!(fresh.input(&id, &json!({"type": "interrupt"})).await.status, 403);
    let bob = as_(&token("bob", hour, "read drive approve"));
    assert_eq!(bob.get(&format!("/sessions/{id}")).await.status, 404);
    assert_eq!(as_("not.a.token").get("/sessions").await.status, 401);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the keys are kept");
    driver.delete(&id).await;
}

#[tokio::test]
async fn a_ticket_reads_one_stream_and_stands_in_no_log() {
    let server = Server::builder().env("RUST_LOG", "trace").start().await;
    let mut session = server.session().await;
    session.turn(Script::text("Hello.")).await;
    let mut tickets = Vec::new();
    for client in [server.client(), server.http2()] {
        let reply = client.post(&format!("/sessions/{}/tickets", session.id), "").await;
        assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (200, Some("no-store")));
        let body: Value = reply.json();
        assert_eq!(body["expires_in"], 60);
        let url = format!("/sessions/{}/{}", session.id, body["stream_url"].as_str().unwrap());
        let bare = client.with_token(None);
        let response = bare.send(Method::GET, &url, &[], "").await;
        assert_eq!(response.status(), 200);
        Events::new(response.into_body()).until("result").await;
        let back = bare.send(Method::GET, &url, &[("last-event-id", "1")], "").await;
        assert_eq!(Events::new(back.into_body()).next().await.unwrap().id, Some(2));

        let ticket = body["ticket"].as_str().unwrap().to_owned();
        let input = format!("/sessions/{}/input?ticket={ticket}", session.id);
        assert_eq!(bare.post(&input, r#"{"type":"interrupt"}"#).await.status, 401);
        tickets.push(ticket);
    }
    session.close().await;
    let log = server.log();
    assert!(log.contains("/stream"), "requests are logged: {log}");
    for secret in tickets.iter().map(String::as_str).chain([TOKEN]) {
        assert!(!log.contains(secret), "a secret is logged");
    }
}
