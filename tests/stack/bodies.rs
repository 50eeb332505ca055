//! Request bodies: their limit, their form, and the policy on their content.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use agent_webkit::service::Limits;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use tower::ServiceExt;

use super::rig::{Reply, Rig};

#[tokio::test]
async fn a_new_session_is_asked_for_in_json() {
    let rig = Rig::new();
    for (body, status, named) in [
        ("{", StatusCode::BAD_REQUEST, "JSON"),
        ("[]", StatusCode::BAD_REQUEST, "object"),
        (r#"{"model":1}"#, StatusCode::UNPROCESSABLE_ENTITY, "model"),
        (r#"{"permission_mode":[]}"#, StatusCode::UNPROCESSABLE_ENTITY, "permission_mode"),
        (r#"{"cwd":{}}"#, StatusCode::UNPROCESSABLE_ENTITY, "cwd"),
        (r#"{"model":"a\u0000b"}"#, StatusCode::UNPROCESSABLE_ENTITY, "model"),
        (r#"{"model":"\ud800"}"#, StatusCode::BAD_REQUEST, "surrogate"),
        (r#"{"permission_mode":"bypassPermissions"}"#, StatusCode::FORBIDDEN, "bypassPermissions"),
        (r#"{"permission_mode":"whatever"}"#, StatusCode::FORBIDDEN, "permission_mode"),
        (r#"{"cwd":"/"}"#, StatusCode::FORBIDDEN, "cwd"),
        (r#"{"cwd":"/no/such/place"}"#, StatusCode::FORBIDDEN, "cwd"),
        (r#"{"cwd":".."}"#, StatusCode::FORBIDDEN, "cwd"),
    ] {
        let reply = rig.create(body).await;
        assert_eq!(reply.status, status, "{body}");
        assert!(reply.detail().contains(named), "{body}: {}", reply.detail());
    }
    assert!(rig.stack.sessions().is_empty());
}

#[tokio::test]
async fn every_form_of_nothing_is_a_session_with_the_defaults() {
    let mut rig = Rig::new();
    for body in ["", " ", "{}", r#"{"model":null,"permission_mode":null,"cwd":null}"#, r#"{"more":1}"#] {
        let reply = rig.create(body).await;
        assert_eq!(reply.json()["protocol_version"], "1.0", "{body}");
        let spec = rig.agents.recv().await.unwrap().spec;
        assert_eq!(spec.session_id, reply.session_id());
        assert_eq!((spec.model, spec.permission_mode, spec.resume), (None, None, false));
        assert_eq!(spec.cwd, rig.workspace.path().canonicalize().unwrap());
    }
}

#[tokio::test]
async fn what_is_chosen_reaches_the_agent() {
    let mut rig = Rig::new();
    std::fs::create_dir(rig.workspace.path().join("inner")).unwrap();
    let body = r#"{"model":"opus","permission_mode":"plan","cwd":"inner"}"#;
    let id = rig.create(body).await.session_id();
    let spec = rig.agents.recv().await.unwrap().spec;
    assert_eq!((spec.model.as_deref(), spec.permission_mode.as_deref()), (Some("opus"), Some("plan")));
    assert!(spec.cwd.ends_with("inner"));
    let state = rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!((&state["model"], &state["permission_mode"]), (&"opus".into(), &"plan".into()));
}

#[tokio::test]
async fn a_message_names_what_is_wrong_with_it() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let long = format!(r#"{{"type":"set_model","model":"{}"}}"#, "x".repeat(200_000));
    for (body, named) in [
        ("", "JSON"),
        ("nonsense", "JSON"),
        ("[]", "object"),
        ("{}", "type"),
        (r#"{"type":"dance"}"#, "dance"),
        (r#"{"type":"user_message"}"#, "content"),
        (r#"{"type":"permission_response","behavior":"allow"}"#, "correlation_id"),
        (r#"{"type":"user_message","content":"\ud800"}"#, "content holds an escape of half a surrogate pair"),
        (r#"{"type":"set_model","model":"a\u0000b"}"#, "model must not hold a NUL"),
        (long.as_str(), "model must not be longer than"),
    ] {
        let reply = rig.input(&id, body.to_owned()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(reply.detail().contains(named), "{body}: {}", reply.detail());
    }
    let reply = rig.input(&id, r#"{"type":"set_permission_mode","mode":"bypassPermissions"}"#).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(agent.commands.try_recv().is_err(), "nothing reached the agent");
}

/// An endless body of spaces that is not `Sync` and whose chunks are not `Bytes`.
struct Endless {
    _not_sync: std::cell::Cell<()>,
}

impl Body for Endless {
    type Data = io::Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Self::Data>>>> {
        Poll::Ready(Some(Ok(Frame::data(io::Cursor::new(vec![b' '; 64])))))
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let mut rig = Rig::with(Limits::default().max_body(1024));
    let (id, _agent) = rig.session().await;
    for path in ["/sessions".to_owned(), format!("/sessions/{id}/input")] {
        let long = rig.ask(http::Method::POST, &path, vec![b' '; 1025]).await;
        assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(long.detail().contains("1024"));

        let endless = Endless { _not_sync: std::cell::Cell::default() };
        let request = Request::post(&path).header("authorization", "Bearer ada").body(endless).unwrap();
        let reply = rig.stack.clone().oneshot(request).await;
        let reply = Reply::of(reply.unwrap_or_else(|never: Infallible| match never {})).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let fits = [br#"{"type":"interrupt"}"#.to_vec(), vec![b' '; 1004]].concat();
    assert_eq!(fits.len(), 1024);
    assert_eq!(rig.input(&id, Bytes::from(fits)).await.status, StatusCode::NO_CONTENT);
}
