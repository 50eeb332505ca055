//! A session whose agent slept is the same session: its mode, model, rules, directory and memory.

use serde_json::{Value, json};

use crate::{
    place::Place,
    reader::Reader,
    support::{Frame, Script, Server, bash, eventually, processes::agent_of, tool},
};

async fn hibernating() -> Server {
    Place::Sqlite.server().option("--hibernate-after", "1s").start().await
}

/// Waits until the session's agent is gone.
async fn asleep(reader: &mut Reader) {
    while reader.until("status").await["status"] != "hibernating" {}
    eventually("the end of the agent", async || agent_of(&reader.id).is_empty()).await;
}

async fn send(server: &Server, reader: &Reader, input: &Value) {
    assert_eq!(server.client().input(&reader.id, input).await.status, 204, "{input}");
}

async fn allow(server: &Server, reader: &Reader, asked: &Frame, updates: &Value) {
    let input = json!({"type": "permission_response", "correlation_id": asked["correlation_id"],
        "behavior": "allow", "updated_permissions": updates});
    send(server, reader, &input).await;
}

async fn described(server: &Server, reader: &Reader) -> Value {
    server.client().get(&format!("/sessions/{}", reader.id)).await.json()
}

fn plan() -> Value {
    tool("toolu_exit", "ExitPlanMode", &json!({"plan": "Do it."}))
}

#[tokio::test]
async fn an_approved_plan_ends_the_mode_for_good() {
    let server = hibernating().await;
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "plan"})).await;
    let mut reader = Reader::of(client, &id);
    reader.say("plan", Script::new(plan()).then("Done.").to_string()).await;
    let asked = reader.until("permission_request").await;
    allow(&server, &reader, &asked, &json!([])).await;
    reader.until("result").await;
    assert_ne!(described(&server, &reader).await["permission_mode"], "plan");
    asleep(&mut reader).await;
    reader.say("work", Script::bash("touch worked").to_string()).await;
    reader.until("permission_request").await;
    assert_ne!(described(&server, &reader).await["permission_mode"], "plan");
}

#[tokio::test]
async fn a_session_that_began_to_plan_still_plans() {
    let server = hibernating().await;
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits"})).await;
    let mut reader = Reader::of(client, &id);
    reader
        .say(
            "plan",
            Script::new(tool("toolu_enter", "EnterPlanMode", &json!({}))).then("I plan.").to_string(),
        )
        .await;
    // The CLI asks before it begins to plan, or does not.
    loop {
        let frame = reader.next().await;
        match frame.event.as_str() {
            "permission_request" => allow(&server, &reader, &frame, &json!([])).await,
            "result" => break,
            _ => {}
        }
    }
    assert_eq!(described(&server, &reader).await["permission_mode"], "plan");
    asleep(&mut reader).await;
    let write =
        tool("toolu_write", "Write", &json!({"file_path": server.workspace().join("w"), "content": "w"}));
    reader.say("write", Script::new(write).then("Done.").to_string()).await;
    loop {
        let frame = reader.next().await;
        if frame.event == "permission_request" || frame.event == "result" {
            break;
        }
    }
    assert!(!server.workspace().join("w").exists(), "no plan was approved");
    assert_eq!(described(&server, &reader).await["permission_mode"], "plan");
}

#[tokio::test]
async fn the_model_that_was_typed_last_stays() {
    let server = hibernating().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("hello", "Hello.").await;
    reader.until("result").await;
    send(&server, &reader, &json!({"type": "set_model", "model": "sonnet"})).await;
    reader.say("model", "/model haiku").await;
    reader.until("result").await;
    eventually("the new model", async || {
        described(&server, &reader).await["model"].as_str().is_some_and(|model| model.contains("haiku"))
    })
    .await;
    asleep(&mut reader).await;
    reader.say("again", "Again.").await;
    let message = reader.until("message_complete").await;
    assert!(message["message"]["model"].as_str().unwrap().contains("haiku"), "{message:?}");
}

#[tokio::test]
async fn a_rule_of_the_session_holds_for_its_whole_life() {
    let server = hibernating().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("first", Script::new(bash("toolu_1", "touch a")).then("Done.").to_string()).await;
    let asked = reader.until("permission_request").await;
    let rules = json!([{"type": "addRules", "behavior": "allow", "destination": "userSettings",
        "rules": [{"toolName": "Bash", "ruleContent": "touch:*"}]}]);
    allow(&server, &reader, &asked, &rules).await;
    reader.until("result").await;
    asleep(&mut reader).await;
    for round in 2..4 {
        if round == 3 {
            asleep(&mut reader).await;
        }
        let touch = bash(&format!("toolu_{round}"), &format!("touch b{round}"));
        reader.say(&format!("round-{round}"), Script::new(touch).then("Done.").to_string()).await;
        reader.until("result").await;
        assert!(server.workspace().join(format!("b{round}")).exists());
    }
    let asked = reader.shown.iter().filter(|frame| frame.event == "permission_request").count();
    assert_eq!(asked, 1, "the rule holds");
    let settings = std::fs::read_to_string(server.dir("config").join("settings.json")).unwrap_or_default();
    assert!(!settings.contains("touch"), "and for this session alone: {settings}");
}

#[tokio::test]
async fn a_session_in_a_worktree_remembers_everything_and_is_back_in_it() {
    for store in [Some(()), None] {
        let server = match store {
            Some(()) => hibernating().await,
            None => {
                Server::builder().option("--store", "memory").option("--hibernate-after", "1s").start().await
            }
        };
        let git = |arguments: &[&str]| {
            let mut command = std::process::Command::new("git");
            let identity = ["-c", "user.email=a@example.com", "-c", "user.name=a"];
            let done =
                command.args(identity).args(arguments).current_dir(server.workspace()).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "-q"]);
        std::fs::write(server.workspace().join("file"), "x").unwrap();
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "first"]);
        let mut reader = Reader::create(server.client()).await;
        reader.say("word", "The word is heliotrope.").await;
        reader.until("result").await;
        let enter = tool("toolu_enter", "EnterWorktree", &json!({"name": "tree"}));
        reader.say("enter", Script::new(enter).then("I am in it.").to_string()).await;
        loop {
            let frame = reader.next().await;
            match frame.event.as_str() {
                "permission_request" => allow(&server, &reader, &frame, &json!([])).await,
                "result" => break,
                _ => {}
            }
        }
        reader.say("inside", "The other word is vermilion.").await;
        reader.until("result").await;
        asleep(&mut reader).await;
        let echo = reader.history("history").await;
        assert!(echo.contains("heliotrope") && echo.contains("vermilion"), "{echo}");
        reader.say("where", Script::new(bash("toolu_pwd", "pwd")).then("There.").to_string()).await;
        let output = reader.until("tool_result").await;
        assert!(output["output"].to_string().contains("worktrees/tree"), "{output:?}");
    }
}

#[tokio::test]
async fn a_plan_returns_to_the_mode_before_it() {
    let server = hibernating().await;
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits"})).await;
    let mut reader = Reader::of(client, &id);
    reader.say("hello", "Hello.").await;
    reader.until("result").await;
    send(&server, &reader, &json!({"type": "set_permission_mode", "mode": "plan"})).await;
    for round in 0..2 {
        asleep(&mut reader).await;
        reader.say(&format!("round-{round}"), "I plan.").await;
        reader.until("result").await;
        assert_eq!(described(&server, &reader).await["permission_mode"], "plan");
    }
    asleep(&mut reader).await;
    reader.say("plan", Script::new(plan()).then("Done.").to_string()).await;
    let asked = reader.until("permission_request").await;
    allow(&server, &reader, &asked, &json!([])).await;
    reader.until("result").await;
    assert_eq!(described(&server, &reader).await["permission_mode"], "acceptEdits");
}

#[tokio::test]
async fn the_effort_that_was_typed_last_stays() {
    let server = hibernating().await;
    let mut reader = Reader::create(server.client()).await;
    for (typed, kept) in [("high", Some("--effort=high")), ("bogus", Some("--effort=high")), ("auto", None)] {
        reader.say(typed, format!("/effort {typed}")).await;
        reader.until("result").await;
        asleep(&mut reader).await;
        reader.say(&format!("{typed}-kept"), Script::slow(1, 1).to_string()).await;
        reader.until("message_delta").await;
        let agents = agent_of(&reader.id);
        let effort = agents[0].args.iter().find(|argument| argument.starts_with("--effort"));
        assert_eq!(effort.map(String::as_str), kept, "after {typed}");
        reader.until("result").await;
    }
}
