//! Paths, methods, statuses and headers.

use http::{Method, StatusCode};
use uuid::Uuid;

use super::{
    fake::FakeAgents,
    rig::{Reply, Rig, request},
};

#[tokio::test]
async fn every_path_tells_its_methods() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    for (path, allow) in [
        ("/sessions".to_owned(), "GET, HEAD, OPTIONS, POST"),
        (format!("/sessions/{id}"), "DELETE, GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/stream"), "GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/input"), "OPTIONS, POST"),
        (format!("/sessions/{id}/tickets"), "OPTIONS, POST"),
        (format!("/sessions/{id}/commands"), "GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/models"), "GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/context"), "GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/mcp"), "GET, HEAD, OPTIONS"),
        (format!("/sessions/{id}/files"), "GET, HEAD, OPTIONS"),
    ] {
        let options = rig.ask(Method::OPTIONS, &path, "").await;
        assert_eq!(options.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(options.header("allow"), Some(allow), "{path}");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if allow.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let reply = rig.ask(method.parse().unwrap(), &path, "").await;
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
            if method != "HEAD" {
                assert!(reply.detail().contains(allow), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_components_need_no_token_and_are_404_if_there_are_none() {
    let components = r#"{"components":[{"name":"card","description":"A card.","schema":{"type":"object"}}]}"#;
    let components = agent_webkit::genui::GenUi::from_json(components).unwrap();
    let (agents, far) = FakeAgents::new();
    let rig = Rig::build(agents, far, |builder| builder.genui(components.clone()));
    let schema = rig.ask_as("nobody", Method::GET, "/genui/schema", "").await;
    assert_eq!((schema.status, schema.json()), (StatusCode::OK, components.schema()));
    assert_eq!(rig.ask_as("nobody", Method::GET, "/genui", "").await.status, StatusCode::UNAUTHORIZED);
    let none = Rig::new().ask_as("nobody", Method::GET, "/genui/schema", "").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    let (never, malformed) = (Uuid::new_v4().to_string(), "not-an-id");
    for path in
        ["/", "/session", "/sessions/", &format!("/sessions/{id}/"), &format!("/sessions/{id}/output")]
    {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let reply = rig.ask(method.clone(), path, "").await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert!(!reply.detail().is_empty());
        }
    }
    for id in [&never, malformed] {
        assert_eq!(rig.get(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.get(&format!("/sessions/{id}/stream")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.input(id, r#"{"type":"interrupt"}"#).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rig.input(id, "{").await.status, StatusCode::NOT_FOUND, "before the body is looked at");
    }
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    for path in ["/sessions", &format!("/sessions/{id}"), &format!("/sessions/{id}/stream"), "/nothing"] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let reply = rig.ask_as("wrong", method.clone(), path, "{").await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
            assert!(!reply.detail().is_empty());
        }
    }
    assert_eq!(rig.get(&format!("/sessions/{id}")).await.status, StatusCode::OK, "it is untouched");
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    for path in ["/sessions".to_owned(), format!("/sessions/{id}"), format!("/sessions/{id}/stream")] {
        let id = [("x-request-id", "1")];
        let get = rig.answer(request("ada", Method::GET, &path, &id, "")).await;
        let head = Reply::of(rig.answer(request("ada", Method::HEAD, &path, &id, "")).await).await;
        assert_eq!(head.status, get.status(), "{path}");
        assert_eq!(&head.headers, get.headers(), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    let head = rig.ask(Method::HEAD, "/sessions/none", "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::NOT_FOUND, 0));
}

#[tokio::test]
async fn a_stream_has_the_headers_that_keep_it_flowing() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    let stream = rig.answer(request("ada", Method::GET, &format!("/sessions/{id}/stream"), &[], "")).await;
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(stream.headers()[name], value);
    }
}

#[tokio::test]
async fn the_description_is_for_everybody_and_names_every_route() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    let get = |method| request("nobody", method, "/openapi.json", &[], "");
    let reply = Reply::of(rig.answer(get(Method::GET)).await).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, Some("application/json")));
    let api = reply.json();
    assert_eq!(api["openapi"], "3.1.0");
    let head = Reply::of(rig.answer(get(Method::HEAD)).await).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(rig.answer(get(Method::POST)).await.status(), StatusCode::METHOD_NOT_ALLOWED);

    // Without components there is no schema, without webhooks there are no links, and nobody is notified.
    let described = api["paths"].as_object().unwrap().iter();
    let described = described.filter(|(path, _)| {
        !["/genui/schema", "/approve/{token}"].contains(&path.as_str()) && !path.starts_with("/push")
    });
    for (path, item) in described {
        let mut methods: Vec<String> = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
            .map(|key| key.to_uppercase())
            .collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.push("OPTIONS".to_owned());
        methods.sort();
        let path = path.replace("{id}", &id);
        let options = rig.ask(Method::OPTIONS, &path, "").await;
        assert_eq!(options.header("allow"), Some(&*methods.join(", ")), "{path}");
        if path != "/openapi.json" {
            let stranger = rig.answer(request("nobody", Method::GET, &path, &[], "")).await;
            assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
}
