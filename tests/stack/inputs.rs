//! The outcomes of inputs.

use std::time::Duration;

use agent_webkit::{
    proto::{AgentCommand, AgentEvent},
    service::Limits,
};
use http::{Method, StatusCode};

use super::rig::{Reply, Rig, request};

const HI: &str = r#"{"type":"user_message","content":"hi"}"#;
const PLAN: &str = r#"{"type":"set_permission_mode","mode":"plan"}"#;

fn allow(correlation_id: &str) -> String {
    format!(r#"{{"type":"permission_response","correlation_id":"{correlation_id}","behavior":"allow"}}"#)
}

#[tokio::test]
async fn a_message_is_in_the_log_before_it_is_answered() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&format!("/sessions/{id}")).await.json()["as_of_seq"], 2);
    assert!(matches!(agent.hears().await, AgentCommand::User { content, .. } if content.get() == r#""hi""#));
}

#[tokio::test]
async fn of_twenty_answers_to_a_prompt_one_wins() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    agent.asks("c1").await;
    events.until("permission_request").await;

    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let stack = rig.stack.clone();
        let request = request("ada", Method::POST, &format!("/sessions/{id}/input"), &[], allow("c1"));
        answers
            .spawn(async move { Reply::of(tower::ServiceExt::oneshot(stack, request).await.unwrap()).await });
    }
    let statuses: Vec<_> = answers.join_all().await.into_iter().map(|reply| reply.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(StatusCode::NO_CONTENT), count(StatusCode::CONFLICT)), (1, 19));
    assert!(
        matches!(agent.hears().await, AgentCommand::Decide { correlation_id, .. } if correlation_id == "c1")
    );
    assert!(agent.commands.try_recv().is_err(), "it is told once");
    assert_eq!(rig.input(&id, allow("never-asked")).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_answer_to_other_questions_names_the_questions_and_leaves_the_prompt_open() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    agent.asks_question("q1", &["Which color?", "Which \"size\"?"]).await;
    events.until("ask_user_question").await;

    let answer = |answers: &str| {
        format!(r#"{{"type":"question_response","correlation_id":"q1","answers":{answers}}}"#)
    };
    for other in ["{}", "[]", r#"{"Color":"Red"}"#, r#"{"Which color?":"Red","Size":"S"}"#] {
        let reply = rig.input(&id, answer(other)).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{other}");
        assert!(reply.detail().contains(r#""Which color?", "Which \"size\"?""#), "{}", reply.detail());
    }
    assert_eq!(rig.get(&format!("/sessions/{id}")).await.json()["pending"][0]["correlation_id"], "q1");
    let some = rig.input(&id, answer(r#"{"Which color?":"Red"}"#)).await;
    assert_eq!(some.status, StatusCode::NO_CONTENT);
    assert!(matches!(agent.hears().await, AgentCommand::Decide { .. }));
    assert_eq!(events.until("prompt_resolved").await.data["outcome"], "answered");
}

#[tokio::test]
async fn an_answer_of_the_agent_is_waited_for() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let agree = async {
        let AgentCommand::SetPermissionMode { request, mode } = agent.hears().await else { panic!() };
        assert_eq!(mode, "plan");
        agent.answers(request, Ok(())).await;
    };
    let (reply, ()) = tokio::join!(rig.input(&id, PLAN), agree);
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&format!("/sessions/{id}")).await.json()["permission_mode"], "plan");
}

#[tokio::test]
async fn its_refusal_is_told_in_its_own_words() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let refuse = async {
        let AgentCommand::SetPermissionMode { request, .. } = agent.hears().await else { panic!() };
        agent.answers(request, Err("no \"planning\" today".into())).await;
    };
    let (reply, ()) = tokio::join!(rig.input(&id, PLAN), refuse);
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.detail(), "no \"planning\" today");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_answer_is_not_waited_for_for_ever() {
    let mut rig = Rig::with(Limits::default().answer_timeout(Duration::from_secs(5)));
    let (id, _agent) = rig.session().await;
    let reply = rig.input(&id, PLAN).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn an_agent_that_ends_meanwhile_is_a_503_and_a_session_that_does_a_404() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let exit = async {
        agent.hears().await;
        agent.say(AgentEvent::Exited { message: "out of memory".into() }).await;
    };
    let (reply, ()) = tokio::join!(rig.input(&id, PLAN), exit);
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);

    let (id, mut agent) = rig.session().await;
    let delete = async {
        agent.hears().await;
        rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    };
    let (reply, ()) = tokio::join!(rig.input(&id, PLAN), delete);
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let mut rig = Rig::with(Limits::default().queue(2));
    let (id, _agent) = rig.session().await;
    for _ in 0..3 {
        assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT, "one runs, two wait");
    }
    let reply = rig.input(&id, HI).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.json()["code"], "backpressure");
    assert_eq!(rig.input(&id, r#"{"type":"interrupt"}"#).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_repeat_under_the_same_key_runs_nothing_twice() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let path = format!("/sessions/{id}/input");
    let send = async |key: &str, body: &'static str| {
        let request = request("ada", Method::POST, &path, &[("idempotency-key", key)], body);
        Reply::of(rig.answer(request).await).await
    };
    for _ in 0..2 {
        assert_eq!(send("k1", HI).await.status, StatusCode::NO_CONTENT);
    }
    let other = r#"{"type":"user_message","content":"other"}"#;
    assert_eq!(send("k1", other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send("k2", other).await.status, StatusCode::NO_CONTENT);
    for wrong in ["", "two words", &"k".repeat(256)] {
        assert_eq!(send(wrong, HI).await.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
    agent.hears().await;
    agent.ends_turn().await;
    let AgentCommand::User { content, .. } = agent.hears().await else { panic!() };
    assert_eq!(content.get(), r#""other""#, "the first one was queued once");
}

#[tokio::test]
async fn a_message_behind_the_agents_own_turn_is_withdrawn_by_the_agent() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    rig.input(&id, r#"{"type":"user_message","content":"first"}"#).await;
    let AgentCommand::User { message_uuid: sent, .. } = agent.hears().await else { panic!() };
    // The agent began a turn by itself when the message was on its way.
    agent.say(AgentEvent::TurnStarted { permission_mode: None }).await;
    rig.input(&id, r#"{"type":"user_message","content":"second"}"#).await;
    let cancel = format!(r#"{{"type":"cancel_message","message_uuid":"{sent}"}}"#);
    for withdrawn in [false, true] {
        let answer = async {
            let AgentCommand::CancelMessage { request, message_uuid } = agent.hears().await else { panic!() };
            assert_eq!(message_uuid, sent);
            let outcome = if withdrawn { Ok(()) } else { Err("it runs".to_owned()) };
            agent.answers(request, outcome).await;
        };
        let (reply, ()) = tokio::join!(rig.input(&id, cancel.clone()), answer);
        let expected = if withdrawn { StatusCode::NO_CONTENT } else { StatusCode::CONFLICT };
        assert_eq!(reply.status, expected, "{:?}", reply.body);
    }
    assert_eq!(events.until("user_message_cancelled").await.data["message_uuid"], sent.as_str());
    assert!(agent.commands.try_recv().is_err(), "the agent's own turn runs");
    agent.ends_turn().await;
    assert!(
        matches!(agent.hears().await, AgentCommand::User { content, .. } if content.get() == r#""second""#)
    );
}

#[tokio::test]
async fn a_message_waits_for_the_end_of_a_rewind() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let rewind = r#"{"type":"rewind","message_uuid":"82015afa-a03d-4d03-833e-793f9eaa3b59"}"#;
    let later = async {
        let AgentCommand::Rewind { request, dry_run: false, .. } = agent.hears().await else { panic!() };
        let reply = rig.input(&id, r#"{"type":"user_message","content":"next"}"#).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert!(agent.commands.try_recv().is_err(), "the files are being changed");
        agent.say(AgentEvent::FilesRewound { request, files: vec!["/a".into()] }).await;
        assert!(matches!(agent.hears().await, AgentCommand::User { .. }));
    };
    let (reply, ()) = tokio::join!(rig.input(&id, rewind), later);
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    let mut events = rig.events(&id, None).await;
    assert_eq!(events.until("files_rewound").await.data["files"][0], "/a");
    assert_eq!(rig.input(&id, rewind).await.status, StatusCode::CONFLICT, "a turn runs");
}
