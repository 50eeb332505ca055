//! Creating sessions, and their owners.

use http::Method;
use serde_json::json;

use crate::{
    host::{BOB, Host, MAX_BODY},
    support::Session,
};

pub(crate) async fn a_session_is_created_and_is_ready(mut host: Host) {
    let reply = host.client().create(&json!({"model": "opus"})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let created = reply.json();
    assert_eq!(created["protocol_version"], "1.0");
    let id = created["session_id"].as_str().unwrap();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");

    let agent = host.agent().await;
    assert_eq!((agent.spec.session_id.as_str(), agent.spec.model.as_deref()), (id, Some("opus")));
    let first = host.client().events(id).await.next().await.unwrap();
    assert_eq!((first.id, first.event.as_str()), (Some(1), "session_ready"));
    assert_eq!(first.data, created);
}

pub(crate) async fn every_mistake_in_a_body_has_its_status(host: Host) {
    let client = host.client();
    for (body, status, named) in [
        ("{", 400, "JSON"),
        ("[]", 400, "object"),
        (r#"{"model":1}"#, 422, "model"),
        (r#"{"cwd":"/etc"}"#, 403, "cwd"),
        (r#"{"permission_mode":"bypassPermissions"}"#, 403, "bypassPermissions"),
    ] {
        let reply = client.post("/sessions", body).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert!(reply.detail().contains(named), "{body}: {}", reply.detail());
    }
    assert!(host.stack.sessions().is_empty());
}

pub(crate) async fn a_large_body_is_refused(mut host: Host) {
    let (session, _agent) = host.session().await;
    for path in ["/sessions".to_owned(), format!("/sessions/{}/input", session.id)] {
        for length in [MAX_BODY + 1, 4 << 20] {
            let reply = session.client.post(&path, vec![b' '; length]).await;
            assert_eq!(reply.status, 413, "{length} to {path}");
            assert!(reply.detail().contains(&MAX_BODY.to_string()), "{path}: {}", reply.detail());
        }
    }
}

pub(crate) async fn sessions_are_their_owners_alone(mut host: Host) {
    let (first, _first) = host.session().await;
    let (second, _second) = host.session().await;
    let bob = first.client.with_token(Some(BOB));
    let bobs = Session::create(bob.clone(), &json!({})).await;
    let ids = |reply: crate::support::Reply| {
        let list = reply.json()["sessions"].as_array().unwrap().clone();
        list.iter().map(|one| one["session_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(first.client.get("/sessions").await), [first.id.clone(), second.id]);
    assert_eq!(ids(bob.get("/sessions").await), [bobs.id]);

    let path = format!("/sessions/{}", first.id);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/stream")),
        (Method::POST, format!("{path}/input")),
    ] {
        let reply = bob.ask(method.clone(), &path, &[], r#"{"type":"interrupt"}"#).await;
        assert_eq!(reply.status, 404, "{method} {path}");
    }
    assert_eq!(bob.delete(&first.id).await.status, 204);
    assert_eq!(first.client.get(&path).await.status, 200, "it was not touched");
}
