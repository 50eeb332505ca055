//! Checks of the agent-webkit protocol.

mod auth;
mod end;
mod input;
mod prompt;
mod resume;
mod sessions;
mod turn;

use serde_json::Value;

use super::{
    exchange::{Ask, Probe},
    report::{Runner, Verdict, expect, failed},
};
use crate::client::HttpService;

/// An id of a session that no server has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    auth::run(probe, runner).await;
    sessions::run(probe, runner).await;
    input::run(probe, runner).await;
    turn::run(probe, runner).await;
    prompt::run(probe, runner).await;
    end::run(probe, runner).await;
}

/// A session that a group of checks made.
#[derive(Clone, Debug)]
struct Session {
    id: String,
}

impl Session {
    async fn create<S: HttpService>(probe: &Probe<'_, S>) -> Verdict<Self> {
        let answer = probe.send(Ask::post("/sessions", "{}")).await?;
        answer.is(200)?;
        match answer.json()?.get("session_id").and_then(Value::as_str) {
            Some(id) => Ok(Self { id: id.to_owned() }),
            None => failed("the answer has no session_id"),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/sessions/{}{rest}", self.id)
    }

    fn stream(&self) -> Ask {
        Ask::get(self.path("/stream"))
    }

    fn input(&self, message: &Value) -> Ask {
        Ask::post(self.path("/input"), message)
    }

    async fn say<S: HttpService>(&self, probe: &Probe<'_, S>, text: &str) -> Verdict {
        let message = serde_json::json!({"type": "user_message", "content": text});
        probe.send(self.input(&message)).await?.is(204)
    }

    async fn delete<S: HttpService>(&self, probe: &Probe<'_, S>) -> Verdict {
        probe.send(Ask::new(http::Method::DELETE, self.path(""))).await?.is(204)
    }
}

/// A member of an object which is a text.
fn text<'a>(object: &'a Value, name: &str) -> Verdict<&'a str> {
    match object.get(name).and_then(Value::as_str) {
        Some(text) => Ok(text),
        None => failed(format!("there is no text {name:?} in {object}")),
    }
}

/// A member has this value.
fn has(object: &Value, name: &str, wanted: impl Into<Value>) -> Verdict {
    let (found, wanted) = (object.get(name).unwrap_or(&Value::Null), wanted.into());
    expect(*found == wanted, || format!("{name} is {found}, not {wanted}"))
}
