//! What a session takes as input, and what it refuses.

use serde_json::{Value, json};

use super::{NOBODY, Session};
use crate::{
    check::{
        exchange::{Ask, Probe},
        report::{Runner, Verdict},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let made = "A session can be made.";
    let Some(session) = runner.check("input.session", made, Session::create(probe)).await else { return };
    let clause = "An interrupt of an idle session is 204.";
    runner.check("input.idle_interrupt", clause, interrupt(probe, &session)).await;
    let clause = "Input that is not JSON, no object, or of an unknown type is refused with 400.";
    runner.check("input.malformed", clause, malformed(probe, &session)).await;
    let clause = "A missing or wrong member is refused with 400, which names it.";
    runner.check("input.wrong_member", clause, wrong_member(probe, &session)).await;
    let clause = "An answer to a prompt that never was is refused with 409.";
    runner.check("input.unknown_prompt", clause, unknown_prompt(probe, &session)).await;
    runner.check("input.session_deleted", "The session can be deleted.", session.delete(probe)).await;
}

async fn malformed<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    for body in ["", "{", "[]", "1", "null", "{}", r#"{"type":1}"#, r#"{"type":"of_tomorrow"}"#] {
        probe.send(Ask::post(session.path("/input"), body)).await?.refuses(400)?;
    }
    Ok(())
}

async fn wrong_member<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    for (name, message) in [
        ("content", json!({"type": "user_message"})),
        ("content", json!({"type": "user_message", "content": 1})),
        ("correlation_id", json!({"type": "permission_response", "behavior": "allow"})),
        ("behavior", json!({"type": "permission_response", "correlation_id": "x", "behavior": "perhaps"})),
        (
            "interrupt",
            json!({"type": "permission_response", "correlation_id": "x", "behavior": "allow", "interrupt": true}),
        ),
        ("answers", json!({"type": "question_response", "correlation_id": "x"})),
        ("mode", json!({"type": "set_permission_mode"})),
        ("task_id", json!({"type": "stop_task"})),
    ] {
        probe.send(session.input(&message)).await?.refuses_naming(400, name)?;
    }
    Ok(())
}

async fn unknown_prompt<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    let messages: [Value; 2] = [
        json!({"type": "permission_response", "correlation_id": NOBODY, "behavior": "allow"}),
        json!({"type": "question_response", "correlation_id": NOBODY, "answers": []}),
    ];
    for message in messages {
        probe.send(session.input(&message)).await?.refuses(409)?;
    }
    Ok(())
}

async fn interrupt<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    probe.send(session.input(&json!({"type": "interrupt"}))).await?.is(204)
}
