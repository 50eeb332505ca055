//! Messages, and the answers to prompts.

use agent_webkit::proto::{AgentCommand, AgentEvent, AgentMessage, Decision, Delta};
use serde_json::{json, value::to_raw_value};
use tokio::task::JoinSet;

use crate::{host::Host, support::allow};

pub(crate) async fn a_message_names_what_is_wrong_with_it(mut host: Host) {
    let (session, _agent) = host.session().await;
    for (body, named) in [
        ("", "JSON"),
        ("[]", "object"),
        ("{}", "type"),
        (r#"{"type":"dance"}"#, "dance"),
        (r#"{"type":"user_message"}"#, "content"),
    ] {
        let reply = session.client.post(&format!("/sessions/{}/input", session.id), body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.detail().contains(named), "{body}: {}", reply.detail());
    }
}

pub(crate) async fn a_turn_goes_from_message_to_result(mut host: Host) {
    let (mut session, mut agent) = host.session().await;
    session.say("what is it?").await;
    let heard = agent.hears().await;
    let AgentCommand::User { content, .. } = &heard else { panic!("{heard:?}") };
    assert_eq!(content.get(), r#""what is it?""#);
    let delta = Delta::text("Ünïcödé.");
    agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
    let block = to_raw_value(&json!({"type": "text", "text": "Ünïcödé."})).unwrap();
    let extra = vec![("model".to_owned(), to_raw_value("m-1").unwrap())];
    let message = AgentMessage { id: "m".into(), parent_tool_use_id: None, blocks: vec![block], extra };
    agent.say(AgentEvent::Message(message)).await;
    agent.ends_turn().await;

    assert_eq!(session.until("user_message").await["content"], "what is it?");
    assert_eq!(session.until("message_delta").await["delta"], json!({"type": "text", "text": "Ünïcödé."}));
    let complete = session.until("message_complete").await;
    assert_eq!(complete["message"]["content"], json!([{"type": "text", "text": "Ünïcödé."}]));
    assert_eq!(complete["message"]["model"], "m-1");
    let result = session.until("result").await;
    assert_eq!(result.str("session_id"), session.id);
    assert_eq!((&result["subtype"], &result["total_cost_usd"]), (&json!("success"), &json!(0.5)));
}

pub(crate) async fn a_permission_is_asked_for_and_given(mut host: Host) {
    let (mut session, mut agent) = host.session().await;
    agent.asks("toolu_1").await;
    let request = session.until("permission_request").await;
    assert_eq!((request.str("tool_name"), &request["input"]), ("Bash", &json!({"command": "ls"})));
    let mut edited = allow(&request);
    edited["updated_input"] = json!({"command": "ls -l"});
    session.put(&edited).await;

    let AgentCommand::Decide { correlation_id, decision } = agent.hears().await else { panic!() };
    assert_eq!(correlation_id, "toolu_1");
    let Decision::Allow { updated_input: Some(input), .. } = decision else { panic!("{decision:?}") };
    assert_eq!(input.get(), r#"{"command":"ls -l"}"#);
    let resolved = session.until("prompt_resolved").await;
    assert_eq!((resolved.str("correlation_id"), resolved.str("outcome")), ("toolu_1", "answered"));
    assert_eq!(session.input(&allow(&request)).await.status, 409);
}

pub(crate) async fn of_twenty_answers_one_wins(mut host: Host) {
    let (mut session, mut agent) = host.session().await;
    agent.asks("toolu_1").await;
    let request = session.until("permission_request").await;
    let mut answers = JoinSet::new();
    for _ in 0..20 {
        let (client, id, answer) = (session.client.clone(), session.id.clone(), allow(&request));
        answers.spawn(async move { client.input(&id, &answer).await.status.as_u16() });
    }
    let mut statuses = answers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![204], vec![409; 19]].concat());
    agent.hears().await;
    assert!(agent.commands.try_recv().is_err(), "the agent is told once");
}
