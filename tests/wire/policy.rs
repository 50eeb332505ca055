//! The operator's policy, whatever a client requests.

use http::Method;
use serde_json::json;

use rustix::process::Signal;

use crate::support::{Script, Server, bash, eventually};

#[tokio::test]
async fn a_session_works_inside_of_the_workspace_only() {
    let server = Server::start().await;
    let workspace = server.workspace();
    std::fs::create_dir(workspace.join("inside")).unwrap();
    std::os::unix::fs::symlink("/etc", workspace.join("way-out")).unwrap();
    std::os::unix::fs::symlink(workspace.join("inside"), workspace.join("way-in")).unwrap();
    let client = server.client();
    for outside in ["way-out", "..", "inside/../..", "way-out/.", "nowhere"] {
        let reply = client.create(&json!({"cwd": workspace.join(outside)})).await;
        assert_eq!(reply.status, 403, "{outside}");
        assert!(!reply.detail().contains("/etc"), "it tells where the link leads: {}", reply.detail());
    }
    for inside in ["", "inside", "way-in", "inside/../inside"] {
        let reply = client.create(&json!({"cwd": workspace.join(inside)})).await;
        assert_eq!(reply.status, 200, "{inside}: {reply:?}");
    }
}

#[tokio::test]
async fn the_agent_works_where_it_was_told_to() {
    let server = Server::start().await;
    let inside = server.workspace().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let mut session = server.session_with(&json!({"cwd": inside})).await;
    session.say(Script::bash("touch made")).await;
    let request = session.until("permission_request").await;
    session.allow(&request).await;
    session.until("result").await;
    assert!(inside.join("made").exists());
    session.close().await;
}

#[tokio::test]
async fn a_policy_file_answers_before_people_and_is_read_again() {
    let recipe = Server::builder();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let rules = |last: &str| {
        format!(
            r#"
            [[rule]]
            effect = "deny"
            command = "rm *"
            message = "Nothing is deleted here."

            [[rule]]
            effect = "{last}"
            command = "touch *"
            "#
        )
    };
    std::fs::write(&file, rules("allow")).unwrap();
    let server = recipe.option("--policy", &file).start().await;
    let mut session = server.session().await;
    let calls = [("toolu_t", "touch a"), ("toolu_r", "touch b; rm a"), ("toolu_m", "mkdir c")];
    let [touch, rm, mkdir] = calls.map(|(id, command)| bash(id, command));
    session.say(Script::new(touch).then(rm).then(mkdir).then("done")).await;
    let request = session.until("permission_request").await;
    assert_eq!(request["correlation_id"], "toolu_m", "only this is left to people");
    session.allow(&request).await;
    session.until("result").await;
    let resolved = |id: &str| {
        let frames = session.events.seen.iter().filter(|frame| frame.event == "prompt_resolved");
        let mut found = frames.filter(|frame| frame["correlation_id"] == id);
        (found.next().unwrap_or_else(|| panic!("{id} is not told")).data.clone(), found.count())
    };
    for (id, behavior) in [("toolu_t", "allow"), ("toolu_r", "deny")] {
        let expected = json!({"correlation_id": id, "kind": "permission", "outcome": "answered",
            "behavior": behavior, "by": "policy"});
        assert_eq!(resolved(id), (expected, 0));
    }
    assert_eq!(resolved("toolu_m").0["by"], json!(null));
    assert!(server.workspace().join("a").exists() && !server.workspace().join("b").exists());

    for (text, heard) in [
        ("[[rule]]\neffect = 3", "cannot read the policy file again"),
        (&rules("ask"), "read the policy file again"),
    ] {
        std::fs::write(&file, text).unwrap();
        server.signal(Signal::HUP);
        eventually("the signal is heard", async || server.log().contains(heard)).await;
    }
    session.say(Script::bash("touch d")).await;
    let request = session.until("permission_request").await;
    session.allow(&request).await;
    session.until("result").await;
    session.close().await;
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused() {
    let server = Server::start().await;
    let client = server.client();
    let port = server.authority().rsplit_once(':').unwrap().1;
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example"] {
        let reply = client.ask(Method::POST, "/sessions", &[("host", host)], "").await;
        assert!(reply.status.is_client_error(), "{host}: {reply:?}");
        assert_ne!(reply.status, 401, "{host}: the token is right");
        assert!(!reply.detail().is_empty());
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let reply = client.ask(Method::GET, "/sessions", &[("host", &host)], "").await;
        assert_eq!(reply.status, 200, "{host}");
    }
}

#[tokio::test]
async fn the_server_does_not_start_open() {
    let (status, said) = Server::builder().no_token().fails().await;
    assert!(!status.success());
    assert!(said.contains("token"), "{said}");

    let (status, said) =
        Server::builder().no_token().flag("--no-auth").option("--host", "0.0.0.0").fails().await;
    assert!(!status.success());
    assert!(said.contains("loopback") || said.contains("0.0.0.0"), "{said}");
}

#[tokio::test]
async fn auth_is_off_only_when_asked_for() {
    let server = Server::builder().no_token().flag("--no-auth").start().await;
    assert_eq!(server.client().get("/sessions").await.status, 200);
    let server = Server::builder().no_token().env("AGENT_WEBKIT_NO_AUTH", "1").start().await;
    assert_eq!(server.client().get("/sessions").await.status, 200);
}

#[tokio::test]
async fn a_token_may_come_from_the_environment() {
    for name in ["AGENT_WEBKIT_AUTH_TOKEN", "AGENT_WEBKIT_TOKEN"] {
        let server = Server::builder().no_token().env(name, "from-the-environment").start().await;
        assert_eq!(server.client().get("/sessions").await.status, 401, "{name}");
        let client = server.client().with_token(Some("from-the-environment"));
        assert_eq!(client.get("/sessions").await.status, 200, "{name}");
    }
}
