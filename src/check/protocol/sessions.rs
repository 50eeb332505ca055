//! Making, describing and listing sessions.

use http::{Method, header};
use serde_json::Value;
use uuid::Uuid;

use super::{NOBODY, Session, has, text};
use crate::{
    check::{
        exchange::{Ask, Probe},
        report::{Runner, Verdict, expect, failed},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let clause = "POST /sessions answers 200 with a version 4 UUID as session_id and protocol_version 1.0.";
    let session = runner.check("create.answer", clause, create(probe)).await;
    let clause = "An empty body is as {}, null is as absent, and unknown members are skipped.";
    runner.check("create.lenient", clause, lenient(probe)).await;
    let clause = "A body that is not JSON is refused with 400.";
    runner.check("create.not_json", clause, not_json(probe)).await;
    let clause = "A member of the wrong type is refused with 422, which names it.";
    runner.check("create.wrong_type", clause, wrong_type(probe)).await;
    let clause = "An unknown session is 404 on its stream and its input.";
    runner.check("routes.unknown_session", clause, unknown(probe)).await;
    let clause = "Another method on a known path is 405 with Allow, an unknown path 404.";
    runner.check("routes.method", clause, method(probe)).await;
    if let Some(session) = session {
        let clause = "GET /sessions/{id} tells the session's state, and GET /sessions lists it.";
        runner.check("additive.described", clause, described(probe, &session)).await;
        let clause = "DELETE is 204, again for a session that is gone, and for one that never was.";
        runner.check("delete.always", clause, delete(probe, &session)).await;
    }
}

async fn create<S: HttpService>(probe: &Probe<'_, S>) -> Verdict<Session> {
    let answer = probe.send(Ask::post("/sessions", "{}")).await?;
    answer.is(200)?;
    let created = answer.json()?;
    let id = text(&created, "session_id")?;
    let version = Uuid::parse_str(id).ok().map(|id| id.get_version_num());
    expect(version == Some(4), || format!("{id} is no version 4 UUID"))?;
    has(&created, "protocol_version", "1.0")?;
    Ok(Session { id: id.to_owned() })
}

async fn lenient<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    for body in ["", r#"{"model":null,"permission_mode":null,"cwd":null,"of_tomorrow":[1]}"#] {
        let answer = probe.send(Ask::post("/sessions", body)).await?;
        answer.is(200)?;
        let session = Session { id: text(&answer.json()?, "session_id")?.to_owned() };
        session.delete(probe).await?;
    }
    Ok(())
}

async fn not_json<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    for body in ["{", "not JSON", r#"{"model": }"#] {
        probe.send(Ask::post("/sessions", body)).await?.refuses(400)?;
    }
    Ok(())
}

async fn wrong_type<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    for (name, body) in [
        ("model", r#"{"model":1}"#),
        ("cwd", r#"{"cwd":["/"]}"#),
        ("permission_mode", r#"{"permission_mode":{}}"#),
    ] {
        probe.send(Ask::post("/sessions", body)).await?.refuses_naming(422, name)?;
    }
    Ok(())
}

async fn unknown<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    probe.send(Ask::get(format!("/sessions/{NOBODY}/stream"))).await?.refuses(404)?;
    let message = r#"{"type":"interrupt"}"#;
    probe.send(Ask::post(format!("/sessions/{NOBODY}/input"), message)).await?.refuses(404).map(drop)
}

async fn method<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    for (method, path) in [
        (Method::PUT, "/sessions"),
        (Method::PATCH, "/sessions/x/stream"),
        (Method::GET, "/sessions/x/input"),
    ] {
        let answer = probe.send(Ask::new(method.clone(), path)).await?;
        answer.refuses(405)?;
        expect(answer.headers.contains_key(header::ALLOW), || format!("{method} {path}: 405 without Allow"))?;
    }
    probe.send(Ask::get("/of-nobody")).await?.refuses(404).map(drop)
}

async fn described<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    let answer = probe.send(Ask::get(session.path(""))).await?;
    answer.is(200)?;
    let state = answer.json()?;
    text(&state, "status")?;
    for member in ["pending", "oldest_seq", "as_of_seq"] {
        expect(state.get(member).is_some(), || format!("there is no {member:?} in {state}"))?;
    }
    let answer = probe.send(Ask::get("/sessions")).await?;
    answer.is(200)?;
    let listed = answer.json()?;
    let Some(sessions) = listed.get("sessions").and_then(Value::as_array) else {
        return failed(format!("there is no list \"sessions\" in {listed}"));
    };
    let is_it = |listed: &Value| listed.get("session_id").is_some_and(|id| *id == *session.id);
    expect(sessions.iter().any(is_it), || "the session is not listed".to_owned())
}

async fn delete<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    session.delete(probe).await?;
    session.delete(probe).await?;
    Session { id: NOBODY.to_owned() }.delete(probe).await?;
    probe.send(session.stream()).await?.refuses(404).map(drop)
}
