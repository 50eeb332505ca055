//! Links: a page that shows one permission request, and answers it once.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    hooked,
    owners::two_owners,
    place::{Place, on_both},
    receiver::{Mode, OTHER_SECRET, Received, Receiver},
    support::{Builder, Client, Frame, Reply, Script, Server, Session, bash, eventually},
};

on_both! { a_link_holds_over_kill_9, a_link_works_on_every_host }

const PUBLIC: &str = "https://agents.example.com/base";

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

fn linked(builder: Builder, receiver: &Receiver) -> Builder {
    hooked(builder, receiver).option("--public-url", format!("{PUBLIC}/"))
}

/// Has the agent ask to run a command, and returns the prompt with the link of its webhook.
async fn asked(session: &mut Session, receiver: &Receiver, command: &str) -> (Frame, String) {
    let id = format!("toolu_{}", receiver.received().len());
    session.say(Script::new(bash(&id, command)).then("done")).await;
    let request = session.until("permission_request").await;
    let is_it = |one: &Received| one.json()["data"]["event"]["correlation_id"] == request["correlation_id"];
    let webhook = receiver.until("the webhook", 1, is_it).await.remove(0);
    (request, webhook.link(PUBLIC))
}

/// A browser without a session.
fn browser(server: &Server) -> Client {
    server.client().with_token(None)
}

async fn decide(client: &Client, link: &str, form: &str) -> Reply {
    client.ask(Method::POST, link, &FORM, form.to_owned()).await
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_link_shows_the_prompt_and_answers_it_once() {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let server = linked(Server::builder(), &receiver).start().await;
    let mut session = server.session().await;
    let (request, link) = asked(&mut session, &receiver, "touch 'made & <b>'").await;
    let browser = browser(&server);

    // Scanners of mail open links, also twice.
    for _ in 0..2 {
        let page = browser.get(&link).await;
        assert_eq!(page.status, 200, "{page:?}");
        let html = text(&page);
        assert!(html.contains("<h1>Allow Bash?</h1>"), "{html}");
        assert!(html.contains("touch &#39;made &amp; &lt;b&gt;&#39;"), "{html}");
        assert!(html.contains(&session.id) && html.contains("<dt>Owner</dt><dd>default</dd>"), "{html}");
        assert!(html.contains("<form method=\"post\">") && !html.contains("<script"), "{html}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        let head = browser.ask(Method::HEAD, &link, &[], "").await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    }
    for form in ["", "decision=perhaps", "decision", "allow"] {
        assert_eq!(decide(&browser, &link, form).await.status, 400, "{form}");
    }
    assert_eq!(
        decide(&browser, &link, &format!("decision=allow&reason={}", "x".repeat(20_000))).await.status,
        400
    );
    let options = browser.ask(Method::OPTIONS, &link, &[], "").await;
    assert_eq!((options.status.as_u16(), options.header("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    let api: Value = serde_json::from_str(agent_webkit::service::OPENAPI).unwrap();
    let described = api["paths"]["/approve/{token}"].as_object().unwrap();
    assert_eq!(described.keys().collect::<Vec<_>>(), ["get", "parameters", "post"]);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(browser.ask(method, &link, &[], "").await.status, 405);
    }
    assert!(session.events.all("prompt_resolved").next().is_none());

    let allowed = decide(&browser, &link, "decision=allow").await;
    assert_eq!(allowed.status, 200);
    assert!(text(&allowed).contains("<h1>Allowed</h1>"));
    let resolved = session.until("prompt_resolved").await;
    let expected = json!({"correlation_id": request["correlation_id"], "kind": "permission", "outcome": "answered", "behavior": "allow", "by": "link"});
    assert_eq!(resolved.data, expected);
    session.until("result").await;
    assert!(server.workspace().join("made & <b>").exists());
    for form in ["decision=allow", "decision=deny"] {
        let again = decide(&browser, &link, form).await;
        assert_eq!(again.status, 409);
        assert!(text(&again).contains("Already answered"));
    }
    let page = browser.get(&link).await;
    assert_eq!(page.status, 409);
    assert!(!text(&page).contains("<form"), "it cannot be answered any more");

    let log = server.log();
    let token = link.strip_prefix("/approve/").unwrap();
    assert!(log.contains("path=\"/approve\"") && !log.contains(&token[..20]), "{log}");

    let (_, link) = asked(&mut session, &receiver, "touch denied").await;
    assert_eq!(decide(&browser, &link, "reason=Not+this+%3Cheliotrope%3E&decision=deny").await.status, 200);
    let result = session.until("tool_result").await;
    assert!(result["output"].to_string().contains("Not this <heliotrope>"), "{result:?}");
    session.until("result").await;
    assert!(!server.workspace().join("denied").exists());
}

#[tokio::test]
async fn a_link_that_was_altered_or_is_of_no_open_prompt_answers_nothing() {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let server = linked(Server::builder(), &receiver).start().await;
    let mut session = server.session().await;
    let (request, link) = asked(&mut session, &receiver, "touch made").await;
    let browser = browser(&server);
    let (content, signature) = link.strip_prefix("/approve/").unwrap().split_once('.').unwrap();
    let reencoded = |change: &dyn Fn(&mut Value)| {
        let mut value: Value =
            serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(content).unwrap())
                .unwrap();
        change(&mut value);
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let later = reencoded(&|link| link["expires_at"] = json!(99_999_999_999_u64));
    let other = reencoded(&|link| link["correlation_id"] = json!("toolu_other"));
    for altered in [
        format!("{later}.{signature}"),
        format!("{other}.{signature}"),
        format!("{content}.{}", signature.chars().rev().collect::<String>()),
        content.to_owned(),
        format!("{content}."),
        String::new(),
        "a".repeat(8000),
    ] {
        let link = format!("/approve/{altered}");
        for reply in [browser.get(&link).await, decide(&browser, &link, "decision=allow").await] {
            assert_eq!(reply.status, 404, "{reply:?}");
            assert!(!text(&reply).contains("touch"), "{reply:?}");
        }
    }
    assert!(session.events.all("prompt_resolved").next().is_none());

    // Answered in the session.
    session.deny(&request).await;
    session.until("result").await;
    for reply in [browser.get(&link).await, decide(&browser, &link, "decision=allow").await] {
        assert_eq!(reply.status, 409, "{reply:?}");
    }
    assert!(!server.workspace().join("made").exists());

    // Withdrawn, and then with its session gone.
    let (_, link) = asked(&mut session, &receiver, "touch made").await;
    session.interrupt().await;
    session.until("result").await;
    assert_eq!(decide(&browser, &link, "decision=allow").await.status, 409);
    session.close().await;
    assert_eq!(decide(&browser, &link, "decision=allow").await.status, 410);
    assert!(!server.workspace().join("made").exists());
}

#[tokio::test]
async fn a_link_expires() {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let server = linked(Server::builder(), &receiver).option("--approve-link-lifetime", "1s").start().await;
    let mut session = server.session().await;
    let (_, link) = asked(&mut session, &receiver, "touch made").await;
    let browser = browser(&server);
    eventually("it expires", async || browser.get(&link).await.status == 410).await;
    let expired = decide(&browser, &link, "decision=allow").await;
    assert_eq!(expired.status, 410);
    assert!(text(&expired).contains("This link has expired"));
    assert!(session.events.all("prompt_resolved").next().is_none());
}

/// Signs a link as the server does, with a secret that an owner knows.
fn forged(secret: &str, link: &Value) -> String {
    let url = base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let mac = |key: &[u8], text: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text);
        mac.finalize().into_bytes()
    };
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let content = link.to_string();
    let signature = mac(&mac(&key, b"agent-webkit link 1"), content.as_bytes());
    format!("/approve/{}.{}", url.encode(content), url.encode(signature))
}

#[tokio::test]
async fn an_owner_who_signs_links_opens_no_session_of_another() {
    let [of_server, of_ada] =
        [Receiver::start(Mode::Answer(200)).await, Receiver::start(Mode::Answer(200)).await];
    let builder = two_owners(linked(Server::builder(), &of_server));
    let file = builder.dir("home").join("webhooks.toml");
    let table = format!("[ada]\nurl = \"{}\"\nsecret = \"{OTHER_SECRET}\"\n", of_ada.url());
    std::fs::write(&file, table).unwrap();
    let server = builder.option("--webhooks", &file).start().await;
    let browser = browser(&server);
    let prompt = async |owner: &str| {
        let client = server.client().with_token(Some(&format!("{owner}-token")));
        let mut session = Session::create(client, &json!({})).await;
        session
            .say(Script::new(bash(&format!("toolu_{owner}"), &format!("touch {owner}"))).then("done"))
            .await;
        session.until("permission_request").await;
        session
    };
    let (ada, mut bob) = (prompt("ada").await, prompt("bob").await);
    let link = |endpoint: &str, owner: &str, session: &Session| {
        json!({"endpoint": endpoint, "owner": owner, "session_id": session.id,
            "correlation_id": format!("toolu_{}", if session.id == bob.id { "bob" } else { "ada" }),
            "expires_at": 99_999_999_999_u64})
    };
    // What the test signs is what the server would.
    let own = forged(OTHER_SECRET, &link("owner:ada", "ada", &ada));
    assert_eq!(browser.get(&own).await.status, 200);
    for (endpoint, owner) in
        [("owner:ada", "bob"), ("owner:bob", "bob"), ("server", "bob"), ("owner:ada", "ada")]
    {
        let link = forged(OTHER_SECRET, &link(endpoint, owner, &bob));
        for reply in [browser.get(&link).await, decide(&browser, &link, "decision=allow").await] {
            assert!(matches!(reply.status.as_u16(), 404 | 410), "{endpoint} {owner}: {reply:?}");
            assert!(!text(&reply).contains("touch"), "{reply:?}");
        }
    }
    assert!(!of_ada.received().iter().any(|one| one.body.contains(&bob.id)));
    // The server's own link of Bob's prompt works.
    let is_bobs = |one: &Received| one.json()["data"]["session_id"] == bob.id;
    let webhook = of_server.until("Bob's prompt", 1, is_bobs).await.remove(0);
    assert_eq!(decide(&browser, &webhook.link(PUBLIC), "decision=allow").await.status, 200);
    bob.until("result").await;
    assert!(server.workspace().join("bob").exists() && !server.workspace().join("ada").exists());
}

async fn a_link_holds_over_kill_9(place: Place) {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let server = linked(place.server(), &receiver).start().await;
    let mut session = server.session().await;
    let (_, link) = asked(&mut session, &receiver, "echo once >> made").await;
    let server = server.kill().start().await;
    let browser = browser(&server);
    // On Postgres the killed server's lease has to expire.
    eventually("the page", async || browser.get(&link).await.status == 200).await;
    assert!(text(&browser.get(&link).await).contains("echo once"));
    assert_eq!(decide(&browser, &link, "decision=allow").await.status, 200);
    assert_eq!(decide(&browser, &link, "decision=allow").await.status, 409);
    let mut events = server.client().events(&session.id).await;
    events.until("result").await;
    assert_eq!(std::fs::read_to_string(server.workspace().join("made")).unwrap(), "once\n");
    let prompts = receiver.received().iter().filter(|one| one.kind() == "permission_request").count();
    assert_eq!(prompts, 1, "the prompt is the same one after the restart");
}

async fn a_link_works_on_every_host(place: Place) {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let builder = linked(place.server(), &receiver);
    let (owner, other) = (builder.clone().start().await, builder.start().await);
    let mut session = owner.session().await;
    let (_, link) = asked(&mut session, &receiver, "touch made").await;
    let elsewhere = browser(&other);
    assert!(text(&elsewhere.get(&link).await).contains("touch made"));
    assert_eq!(decide(&elsewhere, &link, "decision=allow").await.status, 200);
    assert_eq!(session.until("prompt_resolved").await.data["by"], "link");
    session.until("result").await;
    assert!(owner.workspace().join("made").exists());
    for host in [&owner, &other] {
        assert_eq!(decide(&browser(host), &link, "decision=deny").await.status, 409);
    }
}
