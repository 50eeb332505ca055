//! Routes, and access to them.

use http::Method;

use super::UNKNOWN;
use crate::host::Host;

pub(crate) async fn without_the_token_nothing_is_revealed(mut host: Host) {
    let (session, _agent) = host.session().await;
    let known = format!("/sessions/{}/stream", session.id);
    for token in [None, Some("wrong"), Some("")] {
        let stranger = session.client.with_token(token);
        for (method, path) in [
            (Method::GET, known.as_str()),
            (Method::GET, UNKNOWN),
            (Method::POST, "/sessions"),
            (Method::PUT, "/sessions"),
            (Method::DELETE, UNKNOWN),
            (Method::GET, "/nothing"),
        ] {
            let reply = stranger.ask(method.clone(), path, &[], "{").await;
            assert_eq!(reply.status, 401, "{method} {path} with {token:?}");
            assert_eq!(reply.header("www-authenticate").map(|value| &value[..6]), Some("Bearer"));
            assert!(!reply.detail().is_empty());
        }
    }
}

pub(crate) async fn what_is_not_there_is_404(mut host: Host) {
    let (session, _agent) = host.session().await;
    for (method, path) in [
        (Method::GET, "/nothing".to_owned()),
        (Method::POST, "/sessions/".to_owned()),
        (Method::GET, format!("/sessions/{}/output", session.id)),
        (Method::GET, UNKNOWN.to_owned()),
        (Method::GET, format!("{UNKNOWN}/stream")),
        (Method::POST, format!("{UNKNOWN}/input")),
        (Method::GET, "/sessions/not-an-id/stream".to_owned()),
    ] {
        let reply = session.client.ask(method.clone(), &path, &[], r#"{"type":"interrupt"}"#).await;
        assert_eq!(reply.status, 404, "{method} {path}");
        assert!(!reply.detail().is_empty());
    }
}

pub(crate) async fn other_methods_are_405_and_the_right_ones_are_listed(mut host: Host) {
    let (session, _agent) = host.session().await;
    let path = format!("/sessions/{}", session.id);
    for (path, allow) in [
        ("/sessions".to_owned(), "GET, HEAD, OPTIONS, POST"),
        (path.clone(), "DELETE, GET, HEAD, OPTIONS"),
        (format!("{path}/stream"), "GET, HEAD, OPTIONS"),
        (format!("{path}/input"), "OPTIONS, POST"),
    ] {
        let refused = session.client.ask(Method::PATCH, &path, &[], "").await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, Some(allow)), "{path}");
        assert!(!refused.detail().is_empty());
        let options = session.client.ask(Method::OPTIONS, &path, &[], "").await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (204, Some(allow)), "{path}");
    }
}
