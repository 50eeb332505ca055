//! A turn, its events, and readers that come back to them.

use agent_webkit_layers::resume::ParsedEvent;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::{Session, has, resume, text};
use crate::{
    check::{
        exchange::{Opened, Probe},
        frames::{data, named},
        report::{Runner, Verdict, expect, failed, skipped},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let made = "A session can be made.";
    let Some(session) = runner.check("turn.session", made, Session::create(probe)).await else { return };
    let clause = "The stream is text/event-stream, not cached and not buffered by proxies.";
    runner.check("stream.headers", clause, headers(probe, &session)).await;
    let clause = "A message is 204, and its turn ends in a result.";
    if let Some(events) = runner.check("turn.result", clause, turn(probe, &session)).await {
        let clause = "Ids are numbers that rise by one from 1, and the first event is session_ready.";
        runner.check("stream.ids", clause, async { ids(&session, &events) }).await;
        let clause = "One frame without an id, session_state, says what is open.";
        runner.check("additive.session_state", clause, async { state(&events) }).await;
        let clause = "The message of a user is an event too, so that other tabs see it.";
        runner.check("additive.user_message", clause, async { user_message(probe, &events) }).await;
        let clause = "The deltas of a message are its text, and each block keeps its type.";
        runner.check("turn.deltas", clause, async { deltas(&events) }).await;
        let limit = runner.patience() + probe.target.keepalive.unwrap_or_default() * 3;
        let clause = "A silent stream sends comments, and the next turn comes on it.";
        runner.check_within(limit, "stream.keepalive", clause, keepalive(probe, &session)).await;
        let clause = "The result has the session's id, its subtype and the cost of the turn.";
        runner.check("turn.costs", clause, async { costs(&session, &events) }).await;
        resume::run(probe, runner, &session, &events).await;
        let clause =
            "A message with the Idempotency-Key of another counts once; the key with another body is 422.";
        runner.check("additive.idempotency_key", clause, twice(probe, &session)).await;
    }
    runner.check("turn.session_deleted", "The session can be deleted.", session.delete(probe)).await;
}

async fn headers<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    let headers: HeaderMap = match probe.open(session.stream()).await? {
        Opened::Stream(headers, _) => headers,
        Opened::Answer(answer) => return answer.is(200),
    };
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let cached = value(header::CACHE_CONTROL.as_str());
    expect(cached.contains("no-cache") || cached.contains("no-store"), || {
        format!("cache-control is {cached:?}")
    })?;
    expect(value("x-accel-buffering") == "no", || {
        format!("x-accel-buffering is {:?}", value("x-accel-buffering"))
    })
}

/// Asks for a word, and returns all events up to the end of the turn.
async fn turn<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict<Vec<ParsedEvent>> {
    let mut frames = probe.stream(session.stream()).await?;
    session.say(probe, &probe.target.message).await?;
    frames.until(&["result", "done"]).await
}

fn ids(session: &Session, events: &[ParsedEvent]) -> Verdict {
    let numbered: Vec<_> = events.iter().filter(|event| event.id.is_some()).collect();
    for (wanted, event) in (1..).zip(&numbered) {
        let id = event.id.as_deref().unwrap_or_default();
        expect(id == u64::to_string(&wanted), || format!("{} has the id {id:?}, not {wanted}", event.name))?;
    }
    let Some(first) = numbered.first() else { return failed("no event has an id") };
    expect(first.name == "session_ready", || format!("the first event is {}", first.name))?;
    let ready = data(first)?;
    has(&ready, "session_id", session.id.as_str())?;
    has(&ready, "protocol_version", "1.0")
}

fn state(events: &[ParsedEvent]) -> Verdict {
    let states: Vec<_> = named(events, "session_state").collect();
    expect(states.len() == 1, || format!("it came {} times", states.len()))?;
    expect(states[0].id.is_none(), || format!("it has the id {:?}", states[0].id))?;
    let state = data(states[0])?;
    text(&state, "status")?;
    expect(state.get("pending").is_some_and(Value::is_array), || {
        format!("there is no list \"pending\" in {state}")
    })
}

fn user_message<S>(probe: &Probe<'_, S>, events: &[ParsedEvent]) -> Verdict {
    let said: Vec<_> = named(events, "user_message").collect();
    expect(said.len() == 1, || format!("it came {} times", said.len()))?;
    let said = data(said[0])?;
    has(&said, "content", probe.target.message.as_str())?;
    text(&said, "message_uuid").map(drop)
}

fn deltas(events: &[ParsedEvent]) -> Verdict {
    let Some(complete) = named(events, "message_complete").last() else {
        return failed("no message_complete came");
    };
    let complete = data(complete)?;
    let id = text(&complete, "message_id")?;
    let mut written = String::new();
    for event in named(events, "message_delta") {
        let event = data(event)?;
        if event["message_id"] == *id && event["delta"]["type"] == "text" {
            written.push_str(text(&event["delta"], "text")?);
        }
    }
    let mut whole = String::new();
    for block in complete["message"]["content"].as_array().into_iter().flatten() {
        if text(block, "type")? == "text" {
            whole.push_str(text(block, "text")?);
        }
    }
    expect(!whole.is_empty(), || format!("the message has no text: {complete}"))?;
    expect(written == whole, || format!("the deltas are {written:?}, the message is {whole:?}"))
}

fn costs(session: &Session, events: &[ParsedEvent]) -> Verdict {
    let Some(result) = named(events, "result").last() else { return failed("no result came") };
    let result = data(result)?;
    has(&result, "session_id", session.id.as_str())?;
    text(&result, "subtype")?;
    expect(result["total_cost_usd"].is_number(), || format!("total_cost_usd is {}", result["total_cost_usd"]))
}

async fn keepalive<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    let Some(time) = probe.target.keepalive else { return skipped("no time for it was given") };
    let mut frames = probe.stream(session.stream()).await?;
    frames.until(&["result"]).await?;
    frames.comments(time).await?;
    session.say(probe, &probe.target.message).await?;
    frames.until(&["result"]).await.map(drop)
}

async fn twice<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    let mut frames = probe.stream(session.stream()).await?;
    frames.until(&["session_state"]).await?;
    let message = json!({"type": "user_message", "content": probe.target.message});
    let keyed = |message: &Value| session.input(message).header("idempotency-key", "agent-webkit-check");
    for _ in 0..2 {
        probe.send(keyed(&message)).await?.is(204)?;
    }
    let other = json!({"type": "user_message", "content": "another"});
    probe.send(keyed(&other)).await?.refuses(422)?;
    let mut events = frames.until(&["result", "done"]).await?;
    // A second turn would begin right after the first.
    while let Ok(event) = tokio::time::timeout(std::time::Duration::from_secs(2), frames.event()).await {
        let Some(event) = event? else { break };
        events.push(event);
    }
    let said = named(&events, "user_message").count();
    expect(said == 1, || format!("the message ran {said} times"))
}
