//! Who is notified, and where the server sends to.

use std::fs;

use http::Method;
use rustix::process::Signal;
use serde_json::json;

use super::{AUTH, opened, public_key, pushing, subscribe, subscribed, subscription};
use crate::{
    owners::two_owners,
    receiver::{Mode, Receiver},
    support::{Client, Script, Server, bash, eventually},
};

async fn turn(client: &Client) -> String {
    let id = client.created(&json!({})).await;
    let mut events = client.events(&id).await;
    client.input(&id, &json!({"type": "user_message", "content": "hello"})).await;
    events.until("result").await;
    id
}

fn of(server: &Server, owner: &str) -> Client {
    server.client().with_token(Some(&format!("{owner}-token")))
}

#[tokio::test]
async fn an_owners_devices_get_that_owners_events_and_end_with_the_token() {
    let service = Receiver::start(Mode::Answer(201)).await;
    let builder = pushing(two_owners(Server::builder()), &service);
    let tokens = builder.dir("home").join("tokens");
    let server = builder.start().await;
    let (ada, bob) = (of(&server, "ada"), of(&server, "bob"));
    let adas = subscribed(&ada, &service, "adas").await;
    subscribed(&bob, &service, "bobs").await;
    assert_eq!(bob.ask(Method::DELETE, &format!("/push/subscriptions/{adas}"), &[], "").await.status, 204);
    let [of_bob, of_ada] = [turn(&bob).await, turn(&ada).await];
    let both = service.until("both", 2, |_| true).await;
    let read = opened(&both, &public_key(&ada).await).await;
    let mut seen: Vec<_> = both
        .iter()
        .zip(&read)
        .map(|(push, read)| (&*push.path, read["notification"]["session_id"].as_str()))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("/adas", Some(&*of_ada)), ("/bobs", Some(&*of_bob))]);

    // The same device is Bob's from when he signs in on it.
    assert_eq!(subscribed(&bob, &service, "adas").await, adas);
    turn(&ada).await;
    turn(&bob).await;
    let four = service.until("Bob's two", 4, |_| true).await;
    assert!(
        four[2..].iter().any(|push| push.path == "/adas")
            && four[2..].iter().any(|push| push.path == "/bobs")
    );
    assert_eq!(bob.ask(Method::DELETE, &format!("/push/subscriptions/{adas}"), &[], "").await.status, 204);
    subscribed(&ada, &service, "adas").await;

    // Bob's token is revoked, and Ada's stays.
    fs::write(&tokens, "ada:ada-token\nbob:another-token\n").unwrap();
    server.signal(Signal::HUP);
    eventually("his device is forgotten", async || server.log().contains("is not notified any more")).await;
    turn(&server.client().with_token(Some("another-token"))).await;
    turn(&ada).await;
    let five = service.until("Ada's", 5, |_| true).await;
    assert_eq!((five.len(), &*five[4].path), (5, "/adas"));
}

#[tokio::test]
async fn only_chosen_events_come_and_none_after_they_are_turned_off() {
    let service = Receiver::start(Mode::Answer(201)).await;
    let server = pushing(Server::builder(), &service).option("--store", "memory").start().await;
    let client = server.client();
    let mut chosen = subscription(&format!("{}/phone", service.origin()));
    chosen["events"] = json!(["prompts"]);
    let added = client.post("/push/subscriptions", chosen.to_string()).await;
    let id = added.json()["id"].as_str().unwrap().to_owned();
    turn(&client).await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "touch made")).then("done")).await;
    let request = session.until("permission_request").await;
    service.until("the prompt", 1, |_| true).await;
    for _ in 0..2 {
        assert_eq!(
            client.ask(Method::DELETE, &format!("/push/subscriptions/{id}"), &[], "").await.status,
            204
        );
    }
    session.allow(&request).await;
    session.until("result").await;
    let read = opened(&service.received(), &public_key(&client).await).await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["notification"]["title"], "Allow Bash?");
}

#[tokio::test]
async fn the_server_sends_to_push_services_and_to_nothing_else() {
    let [service, inner] =
        [Receiver::start(Mode::Answer(201)).await, Receiver::start(Mode::Answer(201)).await];
    let server = pushing(Server::builder(), &service).start().await;
    let client = server.client();
    let port = service.origin().rsplit(':').next().unwrap();
    for wrong in [
        inner.url(),
        inner.origin().replace("127.0.0.1", "localhost"),
        format!("http://localhost:{port}/a"),
        format!("https://127.0.0.1:{port}/a"),
        format!("http://user@127.0.0.1:{port}/a"),
        format!("http://127.0.0.1:{port}@evil.test/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/a"),
        "http://fcm.googleapis.com/a".into(),
        "https://fcm.googleapis.com:444/a".into(),
        "https://user@fcm.googleapis.com/a".into(),
        "https://evilfcm.googleapis.com.evil.test/a".into(),
        "https://169.254.169.254/latest".into(),
        "file:///etc/passwd".into(),
    ] {
        let reply = subscribe(&client, &wrong).await;
        assert_eq!(reply.status, 400, "{wrong}");
        assert!(
            reply.detail().starts_with("endpoint: ") && !reply.detail().contains(&wrong),
            "{}",
            reply.detail()
        );
    }
    turn(&client).await;
    subscribed(&client, &service, "phone").await;
    turn(&client).await;
    service.until("the allowed one", 1, |_| true).await;
    assert!(inner.received().is_empty());
}

#[tokio::test]
async fn the_routes_need_a_token_and_are_there_only_when_they_are_on() {
    let service = Receiver::start(Mode::Answer(201)).await;
    let origin = "https://app.example.com";
    let builder = pushing(Server::builder(), &service).option("--cors-origin", origin);
    let tokens = builder.dir("home").join("tokens");
    fs::write(&tokens, "ada:driver:drive\nada:reader:read\n").unwrap();
    let server = builder.option("--tokens-file", tokens).start().await;
    let client = server.client();
    let none = client.with_token(None);
    for (method, path, allow) in [
        (Method::GET, "/push", "GET, HEAD, OPTIONS"),
        (Method::POST, "/push/subscriptions", "OPTIONS, POST"),
        (Method::DELETE, "/push/subscriptions/a", "DELETE, OPTIONS"),
    ] {
        assert_eq!(none.ask(method.clone(), path, &[], "").await.status, 401, "{path}");
        let driver = client.with_token(Some("driver")).ask(method.clone(), path, &[], "").await;
        assert_eq!(driver.status, 403, "{path}");
        assert!(driver.detail().contains("scope read"), "{}", driver.detail());
        assert_ne!(client.with_token(Some("reader")).ask(method.clone(), path, &[], "").await.status, 403);
        let put = client.ask(Method::PUT, path, &[], "").await;
        assert_eq!(put.status, 405, "{path}");
        assert_eq!(put.header("allow"), Some(allow), "{path}");
        let asks = [("origin", origin), ("access-control-request-method", method.as_str())];
        let preflight = none.ask(Method::OPTIONS, path, &asks, "").await;
        assert_eq!(preflight.header("access-control-allow-origin"), Some(origin));
        assert!(
            preflight.header("access-control-allow-methods").unwrap().contains(method.as_str()),
            "{path}"
        );
    }
    let head = client.ask(Method::HEAD, "/push", &[], "").await;
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    let long = format!("{{\"endpoint\":\"{}\"}}", "a".repeat(10_000));
    assert_eq!(client.post("/push/subscriptions", long).await.status, 413);
    assert_eq!(client.get("/push/other").await.status, 404);

    let off = Server::start().await;
    assert_eq!(off.client().get("/push").await.status, 404);
}

#[tokio::test]
async fn no_address_key_or_token_is_in_the_log_or_in_an_agents_environment() {
    let service = Receiver::start(Mode::Answer(500)).await;
    let builder = pushing(Server::builder(), &service).env("RUST_LOG", "trace");
    let key = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    let file = builder.dir("home").join("push.key");
    fs::write(&file, key).unwrap();
    let server =
        builder.option("--push-key-file", &file).env("AGENT_WEBKIT_PUSH_SECRET", "s3cret").start().await;
    assert!(public_key(&server.client()).await.starts_with("BP4z9KsN6nGRTbVY"), "the operator's key");
    subscribed(&server.client(), &service, "an-address-that-nobody-knows").await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "env > environment")).then("done")).await;
    let request = session.until("permission_request").await;
    session.allow(&request).await;
    session.until("result").await;
    service.until("attempts", 3, |_| true).await;
    let log = server.log();
    assert!(log.contains("a push was not received; it is tried again"), "{log}");
    for secret in ["an-address-that-nobody-knows", AUTH, key, "vapid t="] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let environment = fs::read_to_string(server.workspace().join("environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("PUSH") && !environment.contains(key));
}
