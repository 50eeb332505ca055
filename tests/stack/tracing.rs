//! The log lines of requests, and the secrets that they must not contain.

use std::{
    io,
    sync::{Arc, Mutex},
};

use http::{Method, StatusCode};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    fake::FakeAgents,
    rig::{Rig, request},
};

/// Everything that is logged in this thread, at every level.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(spans)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn has(&self, line: &[&str]) -> bool {
        self.text().lines().any(|text| line.iter().all(|part| text.contains(part)))
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn every_request_is_told_with_what_it_is_about() {
    let (log, _guard) = Log::listen();
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    assert!(log.has(&["request{method=POST path=\"/sessions\"", "request_id=", &id, "status=200"]));

    let mut events = rig.events(&id, None).await;
    agent.asks("c1").await;
    events.until("permission_request").await;
    let session = format!("session_id=\"{id}\"");
    assert!(log.has(&[&session, "from_seq=1", "status=200"]));
    rig.events(&id, Some(2)).await;
    assert!(log.has(&[&session, "from_seq=3"]));

    let answer = r#"{"type":"permission_response","correlation_id":"c1","behavior":"allow"}"#;
    assert_eq!(rig.input(&id, answer).await.status, StatusCode::NO_CONTENT);
    assert!(log.has(&[&session, "correlation_id=\"c1\"", "status=204"]));
}

#[tokio::test]
async fn no_secret_no_ticket_and_no_word_of_a_body_is_told_at_any_level() {
    let (log, _guard) = Log::listen();
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let path = format!("/sessions/{id}/tickets");
    let ticket = rig.ask(Method::POST, &path, "").await.json()["ticket"].as_str().unwrap().to_owned();
    let url = format!("/sessions/{id}/stream?ticket={ticket}&note=querysecret");
    let (mut parts, body) = request("", Method::GET, &url, &[("cookie", "cookiesecret")], "").into_parts();
    parts.headers.remove("authorization");
    let mut events = rig.open(http::Request::from_parts(parts, body)).await;
    agent.asks("c1").await;
    events.until("permission_request").await;

    rig.input(&id, r#"{"type":"user_message","content":"bodysecret"}"#).await;
    events.until("user_message").await;
    rig.input(&id, r#"{"type":"bodysecret"}"#).await;
    rig.input(&id, "bodysecret").await;
    let forged = "forged\\nrequest_id=1 bodysecret";
    rig.input(
        &id,
        format!(r#"{{"type":"permission_response","correlation_id":"{forged}","behavior":"allow"}}"#),
    )
    .await;
    rig.ask_as("tokensecret", Method::GET, "/sessions?querysecret", "").await;
    let long = "l".repeat(4000);
    rig.answer(request("ada", Method::GET, "/sessions", &[("x-request-id", &long)], "")).await;

    let text = log.text();
    assert!(text.contains(&id), "something is logged");
    for secret in [&ticket, "bodysecret", "tokensecret", "querysecret", "cookiesecret", "Bearer", &long] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_host_that_traces_for_itself_hears_nothing_of_requests() {
    let (log, _guard) = Log::listen();
    let (agents, far) = FakeAgents::new();
    let rig = Rig::build(agents, far, |builder| builder.trace(false));
    assert_eq!(rig.get("/sessions").await.status, StatusCode::OK);
    assert!(!log.text().contains("request{"), "{}", log.text());
}
