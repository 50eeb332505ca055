//! Reading streams.

use agent_webkit::layers::resume::EventStream;
use http::{Method, Version};
use serde_json::json;

use super::words;
use crate::{
    host::{Host, Http},
    support::eventually,
};

pub(crate) async fn a_stream_has_its_headers(mut host: Host) {
    let (session, _agent) = host.session().await;
    let response = session.client.stream(&session.id, None).await;
    let headers = response.headers();
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(headers[name], value);
    }
    if host.http == Http::Two {
        assert_eq!(response.version(), Version::HTTP_2);
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            assert!(!headers.contains_key(name), "{name} on HTTP/2");
        }
    } else {
        assert_eq!(response.version(), Version::HTTP_11);
    }
}

pub(crate) async fn a_quiet_stream_lives(mut host: Host) {
    let (mut session, agent) = host.session().await;
    for _ in 0..3 {
        assert_eq!(session.events.comment().await, "keepalive");
    }
    words(&agent, 1).await;
    assert_eq!(session.until("message_delta").await["delta"]["text"], "w0 ");
}

pub(crate) async fn a_reader_that_hangs_up_is_noticed_and_the_run_goes_on(mut host: Host) {
    let (mut session, mut agent) = host.session().await;
    session.until("session_state").await;
    let handle = host.stack.sessions().get(&session.id, Some("ada")).unwrap();
    let attached = || handle.stream().readers().attached;
    assert_eq!(attached(), 1);
    drop(session.events);
    eventually("nobody reads", async || attached() == 0).await;
    let hi = json!({"type": "user_message", "content": "hi"});
    assert_eq!(session.client.input(&session.id, &hi).await.status, 204);
    agent.hears().await;
}

pub(crate) async fn head_is_get_without_its_body(mut host: Host) {
    let (session, _agent) = host.session().await;
    let path = format!("/sessions/{}", session.id);
    for (path, content_type) in [
        ("/sessions", "application/json"),
        (&path, "application/json"),
        (&format!("{path}/stream"), "text/event-stream"),
    ] {
        let reply = session.client.ask(Method::HEAD, path, &[], "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert!(reply.body.is_empty(), "{path}");
    }
    let unknown = format!("{}/stream", super::UNKNOWN);
    assert_eq!(session.client.ask(Method::HEAD, &unknown, &[], "").await.status, 404);
}
