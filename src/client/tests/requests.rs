//! Requests: where they go, what is repeated, and who may send them.

use super::*;
use crate::{
    client::{Credential, NewSession},
    proto::client::ClientMessage,
};

const INFO: &str = r#"{"session_id":"s","oldest_seq":1,"as_of_seq":2,"model":null,"permission_mode":null,"cwd":"/","title":null,"created_at":1,"active_at":2,"status":"idle"}"#;

#[tokio::test(start_paused = true)]
async fn each_method_has_its_route() {
    let created = given(200, r#"{"session_id":"s","protocol_version":"1.0"}"#);
    let ticket = given(200, r#"{"ticket":"k","expires_in":60,"stream_url":"stream?ticket=k"}"#);
    let listed = given(200, &format!(r#"{{"sessions":[{INFO}]}}"#));
    let server = Scripted::new([created, listed, given(200, INFO), given(204, ""), ticket, given(204, "")]);
    let client = server.client().credential("secret");
    let session = client.create(&NewSession::default().model("opus").cwd("a")).await.unwrap();
    assert_eq!((session.id(), client.list().await.unwrap().len()), ("s", 1));
    assert_eq!(session.describe().await.unwrap().as_of_seq, 2);
    session.set_model(Some("m")).await.unwrap();
    assert_eq!(session.ticket().await.unwrap().ticket, "k");
    session.delete().await.unwrap();

    let base = "http://h/agents/sessions";
    let wanted = [
        format!("POST {base}"),
        format!("GET {base}"),
        format!("GET {base}/s"),
        format!("POST {base}/s/input"),
        format!("POST {base}/s/tickets"),
        format!("DELETE {base}/s"),
    ];
    assert_eq!(server.lines(), wanted);
    let received = server.received();
    assert_eq!(received[0].body, r#"{"model":"opus","cwd":"a"}"#);
    assert_eq!(received[3].body, r#"{"type":"set_model","model":"m"}"#);
    assert!(received.iter().all(|received| received.credential.as_deref() == Some("Bearer secret")));
}

#[tokio::test(start_paused = true)]
async fn an_id_stays_one_part_of_the_path() {
    let server = Scripted::new([given(204, ""), given(204, "")]);
    server.client().attach("../a?b#c%é").delete().await.unwrap();
    server.client().attach("..").delete().await.unwrap();
    let base = "DELETE http://h/agents/sessions";
    assert_eq!(server.lines(), [format!("{base}/..%2Fa%3Fb%23c%25%C3%A9"), format!("{base}/%2E%2E")]);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_repeated_with_its_key_until_it_is_answered() {
    let busy = given_with(503, &[("retry-after", "3")]);
    let half = Answer::Given(200, &[], "half".to_owned(), End::Broken);
    let server =
        Scripted::new([Answer::Broken, busy, half, given(502, "<html>"), given(204, ""), given(204, "")]);
    let session = server.client().attach("s");
    session.say("once").await.unwrap();
    session.say("another").await.unwrap();

    let received = server.received();
    let keys: Vec<_> = received.iter().map(|received| received.key.clone().unwrap()).collect();
    assert!(keys[..5].iter().all(|key| *key == keys[0]));
    assert_ne!(keys[0], keys[5]);
    assert!(received[..5].iter().all(|request| request.body == received[0].body));
    let pauses = server.pauses();
    assert!(pauses[0] >= Duration::from_millis(100) && pauses[0] <= Duration::from_millis(210), "{pauses:?}");
    assert!(pauses[1] >= Duration::from_secs(3), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn what_will_not_change_is_not_repeated() {
    for code in [400, 401, 403, 404, 409, 413, 422] {
        let server = Scripted::new([given(code, r#"{"detail":"no","code":"c"}"#)]);
        let error = server.client().attach("s").interrupt().await.unwrap_err();
        let refused = error.refused().unwrap();
        assert_eq!(
            (refused.status.as_u16(), refused.detail.as_str(), refused.code.as_deref()),
            (code, "no", Some("c"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let refusing = tower::service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::builder().status(503).body(Full::<Bytes>::default()).unwrap())
    });
    let start = Instant::now();
    let client = Client::new(refusing, "/".parse().unwrap()).patience(Duration::from_secs(60));
    assert_eq!(status(&client.attach("s").interrupt().await.unwrap_err()), 503);
    assert!(start.elapsed() <= Duration::from_secs(60) && start.elapsed() > Duration::from_secs(30));

    let server = Scripted::new([Answer::Silent]);
    let error = server.client().patience(Duration::from_secs(5)).attach("s").interrupt().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");

    let server = Scripted::new([given_with(503, &[("retry-after", "3600")])]);
    let start = Instant::now();
    assert_eq!(status(&server.client().attach("s").interrupt().await.unwrap_err()), 503);
    assert_eq!(start.elapsed(), Duration::ZERO, "it is not worth waiting");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_not_created_twice() {
    let created = given(200, r#"{"session_id":"s","protocol_version":"1.0"}"#);
    let server = Scripted::new([given(503, ""), created]);
    server.client().create(&NewSession::default()).await.unwrap();
    assert_eq!(server.received().len(), 2);
    for lost in [Answer::Broken, given(502, "")] {
        let server = Scripted::new([lost]);
        server.client().create(&NewSession::default()).await.unwrap_err();
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_renewed_once() {
    let server = Scripted::new([
        given(204, ""),
        given(401, ""),
        given(204, ""),
        given(204, ""),
        given(401, ""),
        given(401, ""),
    ]);
    let session = server.client().renew_credential(numbered_tokens()).attach("s");
    for _ in 0..3 {
        session.say("hi").await.unwrap();
    }
    assert_eq!(status(&session.say("hi").await.unwrap_err()), 401);
    let tokens: Vec<_> = server.received().into_iter().map(|received| received.credential.unwrap()).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2", "Bearer t2", "Bearer t3"]);
    let received = server.received();
    assert_eq!(received[1].key, received[2].key);
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_refused_together_renew_once() {
    let server = Scripted::new([given(401, ""), given(401, ""), given(204, ""), given(204, "")]);
    let session = server.client().renew_credential(numbered_tokens()).attach("s");
    let (first, second) = tokio::join!(session.interrupt(), session.interrupt());
    first.unwrap();
    second.unwrap();
    let mut tokens: Vec<_> =
        server.received().into_iter().map(|received| received.credential.unwrap()).collect();
    tokens.sort();
    assert_eq!(tokens, ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_fails_is_an_error_of_its_own() {
    let server = Scripted::new([]);
    let client = server.client().renew_credential(async || Err::<String, BoxError>("no vault".into()));
    let error = client.list().await.unwrap_err();
    assert!(matches!(&error, Error::Credential(source) if source.to_string() == "no vault"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn no_credential_is_printed() {
    let server = Scripted::new([]);
    let client = server.client().credential("s3cret");
    let credential = Credential::Ticket("s3cret".to_owned());
    let session = client.attach("s");
    assert!(!format!("{client:?} {session:?} {:?} {credential:?}", session.events()).contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_callers_own() {
    let server = Scripted::new([given(204, "")]);
    let session = server.client().attach("s");
    session.send_with_key(&ClientMessage::Interrupt, "mine").await.unwrap();
    assert_eq!(server.received()[0].key.as_deref(), Some("mine"));
    assert!(session.send_with_key(&ClientMessage::Interrupt, "a\nb").await.is_err());
}
