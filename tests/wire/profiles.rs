//! Profiles: options of the agent that a client chooses by name.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Script, Server, Session, eventually};

const PROFILES: &str = r#"
[review]
append_system_prompt = "You review."
tools = ["Read"]
"#;

/// The answer with what the model saw.
async fn echo(session: &mut Session, what: &str) -> String {
    session.say(Script::text(what)).await;
    let message = session.until("message_complete").await;
    session.until("result").await;
    message.data.to_string()
}

fn review() -> Value {
    json!({"profile": "review"})
}

#[tokio::test]
async fn a_profile_is_chosen_by_name_and_stays_the_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store) = (folder.path().join("profiles.toml"), folder.path().join("sessions.db"));
    fs::write(&profiles, PROFILES).unwrap();
    let builder = Server::builder().option("--profiles", &profiles);
    let server = builder.option("--store", format!("sqlite:{}", store.display())).start().await;
    let mut session = server.session_with(&review()).await;
    assert!(echo(&mut session, "ECHO_SYSTEM").await.contains("You review."));
    let mut plain = server.session().await;
    assert!(!echo(&mut plain, "ECHO_SYSTEM").await.contains("You review."));
    plain.close().await;

    let unknown = server.client().create(&json!({"profile": "other"})).await;
    assert_eq!((unknown.status.as_u16(), &*unknown.detail()), (422, "there is no profile \"other\""));
    assert_eq!(server.client().create(&json!({"profile": 7})).await.status, 422);

    // An agent that is started later has the profile as it is then, also in another server. The CLI records the system
    // prompt with the conversation and stays with it.
    let id = session.id;
    fs::write(&profiles, PROFILES.replace("You review.", "Else.").replace("Read", "Grep")).unwrap();
    let server = server.kill().start().await;
    let last = server.client().get(&format!("/sessions/{id}")).await.json()["as_of_seq"].as_u64().unwrap();
    let events = server.client().events_after(&id, last).await;
    let mut session = Session { client: server.client(), id, events };
    assert!(echo(&mut session, "ECHO_SYSTEM").await.contains("You review."));
    let tools = echo(&mut session, "ECHO_TOOLS").await;
    assert!(tools.contains("Grep"), "{tools}");
    session.close().await;
}

#[tokio::test]
async fn a_hangup_reads_the_profiles_again_or_leaves_them() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles.toml");
    fs::write(&profiles, PROFILES).unwrap();
    let server = Server::builder().option("--profiles", &profiles).start().await;
    fs::write(&profiles, "[review]\ntool = []\n").unwrap();
    server.signal(Signal::HUP);
    eventually("the refusal", async || {
        server.log().contains("cannot read the profiles file again; things stay as they were")
    })
    .await;
    assert!(server.log().contains("unknown field `tool`"), "{}", server.log());
    server.session_with(&review()).await.close().await;
    fs::write(&profiles, "[other]\nmax_turns = 3\n").unwrap();
    server.signal(Signal::HUP);
    eventually("the reload", async || server.client().create(&review()).await.status == 422).await;
    server.session_with(&json!({"profile": "other"})).await.close().await;
}

#[tokio::test]
async fn a_scope_allows_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, tokens) = (folder.path().join("profiles.toml"), folder.path().join("tokens"));
    fs::write(&profiles, format!("{PROFILES}\n[other]\n")).unwrap();
    fs::write(&tokens, "ada:all\nbob:some:read,drive,profile:review\n").unwrap();
    let server =
        Server::builder().option("--profiles", &profiles).option("--tokens-file", &tokens).start().await;
    let create = async |token, profile: &str| {
        let created = server.client().with_token(Some(token)).create(&json!({"profile": profile})).await;
        (created.status.as_u16(), created.json()["detail"].to_string())
    };
    assert_eq!(create("all", "other").await.0, 200);
    assert_eq!(create("some", "review").await.0, 200);
    for profile in ["other", "unknown"] {
        let (status, detail) = create("some", profile).await;
        assert_eq!(status, 403);
        assert!(detail.contains(&format!("profile:{profile}")), "{detail}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles.toml");
    for (text, why) in [("[a]\nmodel = 7\n", "line 2: "), ("[a\n", "line 1: ")] {
        fs::write(&profiles, text).unwrap();
        let (status, said) = Server::builder().option("--profiles", &profiles).fails().await;
        let sentence = format!("agent-webkit: {}: {why}", profiles.display());
        assert!(!status.success() && said.trim().lines().last().unwrap().starts_with(&sentence), "{said}");
    }
}
