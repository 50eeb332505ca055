//! Checks of authentication: which requests are refused without a valid token.

use http::{Method, header};

use super::{NOBODY, Session};
use crate::{
    check::{
        exchange::{Ask, Probe},
        report::{Runner, Verdict, expect, skipped},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let clause =
        "Without a token every route of sessions answers 401, with a detail and WWW-Authenticate: Bearer.";
    runner.check("auth.required", clause, required(probe)).await;
    let clause = "A wrong token is refused like none.";
    runner.check("auth.wrong_token", clause, wrong(probe)).await;
    let clause = "Who has no token does not learn whether a session exists.";
    runner.check("auth.tells_nothing", clause, tells_nothing(probe)).await;
}

fn has_token<S>(probe: &Probe<'_, S>) -> Verdict {
    if probe.target.token.is_none() { skipped("no token was given") } else { Ok(()) }
}

async fn required<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    has_token(probe)?;
    for ask in [
        Ask::post("/sessions", "{}"),
        Ask::get(format!("/sessions/{NOBODY}/stream")),
        Ask::post(format!("/sessions/{NOBODY}/input"), r#"{"type":"interrupt"}"#),
        Ask::new(Method::DELETE, format!("/sessions/{NOBODY}")),
    ] {
        let answer = probe.send(ask.anonymous()).await?;
        answer.refuses(401)?;
        let challenge = answer.headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        expect(challenge.is_some_and(|challenge| challenge.starts_with("Bearer")), || {
            format!("WWW-Authenticate is {challenge:?}")
        })?;
    }
    Ok(())
}

async fn wrong<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    has_token(probe)?;
    for token in ["Bearer wrong", "Bearer ", "Basic d3Jvbmc6d3Jvbmc="] {
        let ask = Ask::post("/sessions", "{}").anonymous().header("authorization", token);
        probe.send(ask).await?.refuses(401)?;
    }
    Ok(())
}

async fn tells_nothing<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    has_token(probe)?;
    let session = Session::create(probe).await?;
    let known = probe.send(session.stream().anonymous()).await?;
    let unknown = probe.send(Ask::get(format!("/sessions/{NOBODY}/stream")).anonymous()).await?;
    session.delete(probe).await?;
    expect((known.status, &known.body) == (unknown.status, &unknown.body), || {
        format!("{} for a session that exists, {} for one that does not", known.status, unknown.status)
    })
}
