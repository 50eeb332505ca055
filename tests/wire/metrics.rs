//! `/metrics` of the binary.

use http::Method;

use crate::support::{Client, Script, Server, skips_balanced};

/// The value of a series in the text; 0 if it is missing.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

async fn page(client: &Client) -> String {
    let reply = client.get("/metrics").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn what_a_session_does_is_counted() {
    if skips_balanced("each host counts for itself") {
        return;
    }
    let server = Server::start().await;
    let client = server.client();
    let mut session = server.session().await;
    session.say(Script::bash("touch made")).await;
    let request = session.until("permission_request").await;
    let during = page(&client).await;
    for series in ["sessions_live", "agents_running", "prompts_open", "readers"] {
        assert_eq!(value(&during, &format!("agent_webkit_{series}")), 1.0, "{series} in {during}");
    }
    session.allow(&request).await;
    session.until("result").await;
    let last = session.events.seen.iter().filter_map(|frame| frame.id).max().unwrap();
    assert_eq!(client.stream(&session.id, Some("1000000")).await.status(), 412);
    drop(client.events_after(&session.id, last).await);
    let id = session.id.clone();
    session.close().await;

    let after = page(&client).await;
    for (series, expected) in [
        ("sessions_started_total{how=\"created\"}", 1.0),
        ("sessions_ended_total{reason=\"closed\"}", 1.0),
        ("sessions_live", 0.0),
        ("prompts_open", 0.0),
        ("turns_total{outcome=\"success\"}", 1.0),
        ("turn_duration_seconds_count{outcome=\"success\"}", 1.0),
        ("prompt_wait_seconds_count{kind=\"permission\",outcome=\"answered\"}", 1.0),
        ("agent_starts_total{outcome=\"ok\",start=\"new\"}", 1.0),
        ("agent_ready_duration_seconds_count", 1.0),
        ("inputs_total{type=\"user_message\",outcome=\"accepted\"}", 1.0),
        ("inputs_total{type=\"permission_response\",outcome=\"accepted\"}", 1.0),
        ("resumes_total{outcome=\"fresh\"}", 1.0),
        ("resumes_total{outcome=\"resumed\"}", 1.0),
        ("resumes_total{outcome=\"ahead\"}", 1.0),
        ("agents_lost_total", 0.0),
    ] {
        assert_eq!(value(&after, &format!("agent_webkit_{series}")), expected, "{series} in {after}");
    }
    let frames = value(&after, "agent_webkit_frames_sent_total");
    let events = value(&after, "agent_webkit_events_total");
    assert!(events > last as f64 && frames >= events, "the reader was given all of them: {after}");
    assert!(value(&after, "agent_webkit_log_commit_duration_seconds_bucket{le=\"+Inf\"}") > 0.0, "{after}");
    assert!(after.contains("# HELP agent_webkit_turns_total Turns that ended."), "{after}");
    assert!(!after.contains(&id), "{after}");
}

#[tokio::test]
async fn the_page_is_for_those_who_have_a_credential() {
    let server = Server::start().await;
    for token in [None, Some("wrong")] {
        let reply = server.client().with_token(token).get("/metrics").await;
        assert_eq!(reply.status, 401, "{token:?}");
        assert!(reply.header("www-authenticate").is_some());
    }
    let head = server.client().ask(Method::HEAD, "/metrics", &[], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(server.client().post("/metrics", "").await.status, 404);
    let elsewhere = server.client().ask(Method::GET, "/metrics", &[("host", "evil.example")], "").await;
    assert!(elsewhere.status.is_client_error(), "{elsewhere:?}");
}

#[tokio::test]
async fn it_can_be_for_everybody_or_for_nobody() {
    let server = Server::builder().option("--metrics", "public").start().await;
    page(&server.client().with_token(None)).await;
    let server = Server::builder().env("AGENT_WEBKIT_METRICS", "off").start().await;
    assert_eq!(server.client().get("/metrics").await.status, 404);
    assert_eq!(server.client().with_token(None).get("/metrics").await.status, 401);
}
