//! A permission that the agent asks for.

use agent_webkit_layers::resume::ParsedEvent;
use serde_json::{Value, json};

use super::{Session, has, text};
use crate::{
    check::{
        exchange::{Ask, Probe},
        frames::{Frames, data, named},
        report::{Runner, Verdict, expect, failed, skipped},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let made = "A session can be made.";
    let Some(session) = runner.check("prompt.session", made, Session::create(probe)).await else { return };
    let clause =
        "The agent asks for a permission under the id of its tool call, with the tool and its input.";
    if let Some(mut open) = runner.check("prompt.asked", clause, ask(probe, &session)).await {
        let clause = "Who joins later is told by session_state what is open, and so does GET /sessions/{id}.";
        runner.check("additive.pending", clause, pending(probe, &session, &open.id)).await;
        let clause = "Of two answers at once one is 204 and the other 409.";
        runner.check("prompt.first_wins", clause, answer(probe, &session, &open.id)).await;
        let clause = "The tool runs, and prompt_resolved comes exactly once.";
        runner.check("additive.prompt_resolved", clause, resolved(&mut open)).await;
    }
    runner.check("prompt.session_deleted", "The session can be deleted.", session.delete(probe)).await;
}

struct Open {
    id: String,
    frames: Frames,
}

async fn ask<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict<Open> {
    let mut frames = probe.stream(session.stream()).await?;
    session.say(probe, &probe.target.asking_message).await?;
    let mut events = frames.until(&["permission_request", "result", "done"]).await?;
    let asked = events.pop().expect("the events end with the one that was waited for");
    if asked.name != "permission_request" {
        return skipped("the agent did not ask: its settings allow the tool, or the model did not call it");
    }
    let asked = data(&asked)?;
    let id = text(&asked, "correlation_id")?;
    text(&asked, "tool_name")?;
    expect(asked["input"].is_object(), || format!("the input is {}", asked["input"]))?;
    let calls: Vec<Value> = named(&events, "tool_use").map(data).collect::<Result<_, _>>()?;
    let same = |call: &Value| call["tool_use_id"] == *id;
    expect(calls.iter().any(same), || format!("there is no tool_use with the id {id}"))?;
    Ok(Open { id: id.to_owned(), frames })
}

async fn pending<S: HttpService>(probe: &Probe<'_, S>, session: &Session, id: &str) -> Verdict {
    let has_it = |state: &Value| {
        let open = state["pending"].as_array().into_iter().flatten();
        expect(open.into_iter().any(|prompt| prompt["correlation_id"] == *id), || {
            format!("{id} is not pending in {state}")
        })
    };
    let mut frames = probe.stream(session.stream()).await?;
    let events = frames.until(&["session_state"]).await?;
    has_it(&data(events.last().expect("the state"))?)?;
    has_it(&probe.send(Ask::get(session.path(""))).await?.json()?)
}

async fn answer<S: HttpService>(probe: &Probe<'_, S>, session: &Session, id: &str) -> Verdict {
    let allow = json!({"type": "permission_response", "correlation_id": id, "behavior": "allow"});
    let (one, two) = tokio::join!(probe.send(session.input(&allow)), probe.send(session.input(&allow)));
    let (one, two) = (one?, two?);
    let (won, lost) = if one.status == 204 { (one, two) } else { (two, one) };
    won.is(204)?;
    lost.refuses(409).map(drop)
}

async fn resolved(open: &mut Open) -> Verdict {
    let events: Vec<ParsedEvent> = open.frames.until(&["result", "done"]).await?;
    let mut found = Vec::new();
    for event in named(&events, "prompt_resolved") {
        let event = data(event)?;
        if event["correlation_id"] == *open.id {
            found.push(event);
        }
    }
    expect(found.len() == 1, || format!("it came {} times", found.len()))?;
    has(&found[0], "outcome", "answered")?;
    for event in named(&events, "tool_result") {
        let event = data(event)?;
        if event["tool_use_id"] == *open.id {
            return has(&event, "is_error", false);
        }
    }
    failed("no tool_result came")
}
