//! The scripted agent for programs that embed the stack.

use std::time::Duration;

use agent_webkit::{
    Stack,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::{Block, Chosen, ServerEvent},
    service::{NewSession, Policy, SessionEvents, SessionHandle},
    testing::{FakeAgent, Turn},
};
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);

async fn session(agent: FakeAgent) -> (SessionHandle, SessionEvents) {
    let stack = Stack::builder(agent, Policy::new(["."]).unwrap()).auth(Disabled).build();
    let session = stack.sessions().create(NewSession::new()).await.unwrap();
    let events = session.events(Cursor::Oldest);
    (session, events)
}

/// The events up to the end of the turn.
async fn turn(events: &mut SessionEvents) -> Vec<ServerEvent> {
    let mut turn = Vec::new();
    loop {
        let event = events.next().await.unwrap().unwrap().event;
        let ends = matches!(event, ServerEvent::Result(_));
        turn.push(event);
        if ends {
            return turn;
        }
    }
}

async fn until(events: &mut SessionEvents, name: &str) -> ServerEvent {
    loop {
        let event = events.next().await.unwrap().unwrap().event;
        if event.name() == name {
            return event;
        }
    }
}

fn names(events: &[ServerEvent]) -> Vec<&str> {
    events.iter().map(ServerEvent::name).filter(|name| *name != "session_state").collect()
}

#[tokio::test]
async fn texts_and_tools_are_played_in_order() {
    let agent = FakeAgent::new(|said| {
        Turn::new()
            .text(format!("You said: {said}"))
            .tool("Read", json!({"file_path": "a"}), "hello")
            .failing_tool("Read", json!({"file_path": "b"}), "no such file")
            .ends_as("error_max_turns")
            .cost(0.25)
    });
    let (session, mut events) = session(agent).await;
    session.send(vec![Block::Text { text: "a".into() }, Block::Text { text: "b".into() }]).await.unwrap();
    let events = turn(&mut events).await;
    assert_eq!(
        names(&events),
        [
            ["session_ready", "user_message"].as_slice(),
            &["message_delta", "message_delta", "message_delta", "message_complete"],
            &["message_complete", "tool_use", "tool_result"],
            &["message_complete", "tool_use", "tool_result", "result"],
        ]
        .concat()
    );
    let results: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::ToolResult(result) => Some((result.output.as_str().unwrap(), result.is_error)),
            ServerEvent::MessageComplete(message) if message.message.content[0]["type"] == "text" => {
                Some((message.message.content[0]["text"].as_str().unwrap(), false))
            }
            _ => None,
        })
        .collect();
    assert_eq!(results, [("You said: a\nb", false), ("hello", false), ("no such file", true)]);
    let Some(ServerEvent::Result(end)) = events.last() else { panic!() };
    assert_eq!((end.subtype.as_str(), end.total_cost_usd), ("error_max_turns", Some(0.25)));
}

#[tokio::test]
async fn prompts_wait_for_their_answers() {
    let agent = FakeAgent::new(|_| {
        let ask = |turn: Turn| turn.ask("Bash", json!({"command": "ls"}), "a.txt");
        ask(ask(Turn::new())).question("Which?", ["Red", "Blue"])
    });
    let (session, mut events) = session(agent).await;
    session.send("go").await.unwrap();
    for (allow, output) in [(true, "a.txt"), (false, "not now")] {
        let ServerEvent::PermissionRequest(asked) = until(&mut events, "permission_request").await else {
            panic!()
        };
        if allow {
            session.allow(asked.correlation_id).await.unwrap();
        } else {
            session.deny(asked.correlation_id, "not now").await.unwrap();
        }
        let ServerEvent::ToolResult(result) = until(&mut events, "tool_result").await else { panic!() };
        assert_eq!((result.output, result.is_error), (output.into(), !allow));
    }
    let ServerEvent::AskUserQuestion(asked) = until(&mut events, "ask_user_question").await else { panic!() };
    let blue = Chosen { question: "Which?".into(), selected_options: vec!["Blue".into()] };
    session.answer(asked.correlation_id, vec![blue]).await.unwrap();
    let ServerEvent::ToolResult(result) = until(&mut events, "tool_result").await else { panic!() };
    assert_eq!(result.output, r#"{"Which?":"Blue"}"#);
    until(&mut events, "result").await;
}

#[tokio::test(start_paused = true)]
async fn time_is_the_tests_and_an_interrupt_ends_a_wait_and_a_prompt() {
    let agent = FakeAgent::new(|said| match said {
        "wait" => Turn::new().wait(HOUR).text("an hour later"),
        _ => Turn::new().ask("Bash", json!({}), ""),
    });
    let (session, mut events) = session(agent).await;
    let began = tokio::time::Instant::now();
    session.send("wait").await.unwrap();
    turn(&mut events).await;
    assert!(began.elapsed() >= HOUR);

    session.send("wait").await.unwrap();
    session.set_model(Some("opus")).await.expect("it agrees while it waits");
    session.interrupt().await.unwrap();
    let ServerEvent::Result(end) = until(&mut events, "result").await else { panic!() };
    assert_eq!(end.subtype, "error_during_execution");

    session.send("ask").await.unwrap();
    until(&mut events, "permission_request").await;
    session.interrupt().await.unwrap();
    let ServerEvent::PromptResolved(prompt) = until(&mut events, "prompt_resolved").await else { panic!() };
    assert_eq!(prompt.outcome, "cancelled");
    until(&mut events, "result").await;
}

#[tokio::test]
async fn an_agent_that_exits_is_started_again_and_one_that_refuses_is_not() {
    let agent = FakeAgent::new(|said| match said {
        "die" => Turn::new().exit("out of memory"),
        _ => Turn::new(),
    });
    let (session, mut events) = session(agent).await;
    session.send("die").await.unwrap();
    let ServerEvent::Error(error) = until(&mut events, "error").await else { panic!() };
    assert!(error.message.contains("out of memory"));
    until(&mut events, "result").await;
    session.send("live").await.unwrap();
    let ServerEvent::Result(end) = until(&mut events, "result").await else { panic!() };
    assert_eq!(end.subtype, "success");

    let stack = Stack::builder(FakeAgent::refusing("no license"), Policy::new(["."]).unwrap());
    let refused = stack.auth(Disabled).build().sessions().create(NewSession::new()).await.unwrap_err();
    assert!(refused.to_string().contains("no license"), "{refused}");
}
