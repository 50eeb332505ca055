//! Every event from the server parses as a typed event, without loss.

use std::collections::BTreeSet;

use agent_webkit::proto::client::{
    Chosen, ClientMessage, Created, ServerEvent, SessionInfo, SessionState, Ticket,
};
use http::Method;
use serde_json::{Value, json};

use crate::openapi::OpenApi;
use crate::support::{Events, Frame, Script, Server, Session, bash, tool};

async fn send(session: &Session, message: &ClientMessage) {
    let reply = session.client.post(&format!("/sessions/{}/input", session.id), message.to_json()).await;
    assert_eq!(reply.status, 204, "{message:?} gave {reply:?}");
}

/// Returns the names of the events. Each event must be known and serialise to what was received.
fn names(events: &Events) -> BTreeSet<String> {
    let (api, mut names) = (OpenApi::new(), BTreeSet::new());
    for frame in &events.seen {
        let event = ServerEvent::parse(&frame.event, &frame.data.to_string())
            .unwrap_or_else(|error| panic!("{error} in {frame:?}"));
        assert!(!matches!(event, ServerEvent::Other { .. }), "{frame:?} is not known");
        assert_eq!((event.name(), event.data()), (frame.event.as_str(), frame.data.clone()));
        let described = api.check(&api.events()[&frame.event], &frame.data);
        described.unwrap_or_else(|error| panic!("{error} in {frame:?}"));
        names.insert(frame.event.clone());
    }
    names
}

#[tokio::test]
async fn every_event_of_a_rich_session_is_known_and_whole() {
    let builder = Server::builder();
    let broken = json!({"type": "stdio", "command": "/nonexistent/server", "args": []});
    let settings = json!({"mcpServers": {"broken": broken}}).to_string();
    std::fs::write(builder.dir("config").join(".claude.json"), settings).unwrap();
    let server = builder.start().await;
    let mut seen = BTreeSet::new();
    for events in [prompts(&server).await, tasks(&server).await, retries(&server).await] {
        seen.extend(names(&events));
    }
    let known = [
        "ask_user_question",
        "done",
        "mcp_status_change",
        "message_complete",
        "message_delta",
        "permission_request",
        "prompt_resolved",
        "result",
        "session_ready",
        "session_state",
        "status",
        "task_update",
        "tool_result",
        "tool_use",
        "user_message",
    ];
    assert_eq!(seen, BTreeSet::from(known.map(str::to_owned)));
}

/// A session with thinking, an allowed permission request, a question, and a denied permission request.
async fn prompts(server: &Server) -> Events {
    let mut session = server.session().await;
    let question = json!({"question": "Which?", "header": "Choice", "multiSelect": false,
        "options": [{"label": "Red", "description": "red"}, {"label": "Blue", "description": "blue"}]});
    let ask = tool("toolu_ask", "AskUserQuestion", &json!({"questions": [question]}));
    let script = Script::new(json!([{"think": "hm"}, "I will.", bash("toolu_1", "touch made")]))
        .then(ask)
        .then(bash("toolu_2", "touch other"))
        .then("Done.");
    send(&session, &ClientMessage::say(script.to_string())).await;

    let asked = session.until("permission_request").await;
    pending_prompt_is_an_event(&session, &asked.data).await;
    send(&session, &ClientMessage::allow(asked.str("correlation_id"))).await;
    let asked = session.until("ask_user_question").await;
    let chosen = Chosen { question: "Which?".into(), selected_options: vec!["Blue".into()] };
    let answers = ClientMessage::QuestionResponse {
        correlation_id: asked.str("correlation_id").into(),
        answers: vec![chosen],
    };
    send(&session, &answers).await;
    let asked = session.until("permission_request").await;
    send(&session, &ClientMessage::deny(asked.str("correlation_id"), "no")).await;
    session.until("result").await;
    send(&session, &ClientMessage::SetPermissionMode { mode: "acceptEdits".into() }).await;
    send(&session, &ClientMessage::SetModel { model: None }).await;
    session.close().await
}

/// A session with a sub-agent and a stopped background task.
async fn tasks(server: &Server) -> Events {
    let mut session = server.session().await;
    let sleep = tool("toolu_task", "Bash", &json!({"command": "sleep 3600", "run_in_background": true}));
    let inner = format!("Look. {}", Script::text("inner"));
    let input = json!({"description": "look", "prompt": inner, "subagent_type": "general-purpose"});
    let script = Script::new(sleep).then(tool("toolu_sub", "Task", &input)).then("Done.");
    send(&session, &ClientMessage::say(script.to_string())).await;
    let task = session.until("task_update").await;
    let done = |frame: &Frame| frame.event == "task_update" && frame["status"] == "completed";
    session.events.until_where("the sub-agent's end", done).await;
    send(&session, &ClientMessage::StopTask { task_id: task.str("task_id").into() }).await;
    let stopped = |frame: &Frame| frame["task_id"] == task["task_id"] && frame["status"] != "running";
    session.events.until_where("the task's end", stopped).await;
    session.close().await
}

/// A session with an overloaded model, until the turn is interrupted.
async fn retries(server: &Server) -> Events {
    let mut session = server.session().await;
    let failing = Script::new(json!({"status": 529, "error": "overloaded_error"}));
    send(&session, &ClientMessage::say(failing.to_string())).await;
    session.until("status").await;
    send(&session, &ClientMessage::Interrupt).await;
    session.until("result").await;
    session.close().await
}

/// Checks that a second reader finds the open prompt in its `session_state`.
async fn pending_prompt_is_an_event(session: &Session, asked: &Value) {
    let mut second = session.client.events(&session.id).await;
    let state: SessionState = serde_json::from_value(second.until("session_state").await.data).unwrap();
    assert_eq!(state.status, "requires_action");
    let mut prompt = state.pending[0].clone();
    let name = prompt.as_object_mut().unwrap().remove("type").unwrap();
    assert_eq!((name.as_str().unwrap(), &prompt), ("permission_request", asked));
    assert!(ServerEvent::parse("permission_request", &prompt.to_string()).is_ok());
}

#[tokio::test]
async fn answers_are_typed() {
    let server = Server::start().await;
    let client = server.client();
    let created = client.create(&json!({})).await.json();
    let session: Created = serde_json::from_value(created.clone()).unwrap();
    assert_eq!(session.protocol_version, agent_webkit::proto::PROTOCOL_VERSION);
    assert_eq!(serde_json::to_value(&session).unwrap(), created);

    let path = format!("/sessions/{}", session.session_id);
    let told = client.get(&path).await.json();
    let info: SessionInfo = serde_json::from_value(told.clone()).unwrap();
    assert_eq!((&info.more["pending"], serde_json::to_value(&info).unwrap()), (&json!([]), told));

    let list = client.get("/sessions").await.json();
    let list: Vec<SessionInfo> = serde_json::from_value(list["sessions"].clone()).unwrap();
    assert_eq!(list[0].session_id, session.session_id);

    let ticket = client.ask(Method::POST, &format!("{path}/tickets"), &[], "").await.json();
    let ticket: Ticket = serde_json::from_value(ticket).unwrap();
    assert_eq!((ticket.expires_in, ticket.stream_url), (60, format!("stream?ticket={}", ticket.ticket)));
}
