//! `POST /sessions`.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{reply, scope::Caller, span::record_in_current_span};
use crate::{
    agent::{Agent, SessionSpec},
    layers::{reply::ResponseBody, resume::EventLog},
    proto::{CreateSession, Invalid, PROTOCOL_VERSION},
    service::{
        failure::Failure,
        limits::Limits,
        registry::{sessions::Sessions, warm::Warm},
        session::{
            connection::AgentConnection,
            driver::{self, Driver},
        },
    },
};

#[derive(Serialize)]
struct Created<'a> {
    session_id: &'a str,
    protocol_version: &'a str,
}

/// Creates a session for the caller. Answers once the agent is started, without waiting until it is ready.
pub(crate) async fn create<A: Agent, L: EventLog, F>(
    body: Bytes,
    caller: Caller<'_>,
    agent: A,
    warm: &Warm<A>,
    sessions: &Sessions<L>,
    limits: &Limits,
) -> Result<Response<ResponseBody<F>>, Failure> {
    let wanted = CreateSession::parse(&body).map_err(|invalid| match invalid {
        Invalid::Field(_) => Failure::unprocessable(invalid.to_string()),
        _ => Failure::bad_request(invalid.to_string()),
    })?;
    if let Some(mode) = &wanted.permission_mode {
        caller.must_choose(mode)?;
    }
    let mut spec = permitted(wanted, sessions).await?;
    let slot = sessions.reserve().await?;
    let connection = match warm.claim(&mut spec).await {
        Some(connection) => connection,
        None => AgentConnection::starting(agent, spec.clone()),
    };
    let session_id = spec.session_id.clone();
    let request = driver::Request { spec, owner: caller.owner(), limits: limits.clone() };
    let (answer, started) = oneshot::channel();
    let sessions = sessions.clone();
    // Boxed, so that the session's task does not keep the memory of the start for as long as it lives.
    let starting = Box::pin(async move {
        match Driver::start(request, connection, &sessions, slot).await {
            Ok(driver) => {
                if answer.send(Ok(())).is_err() {
                    driver.cancel();
                }
                Some(driver)
            }
            Err(failure) => {
                let _ = answer.send(Err(failure));
                None
            }
        }
    });
    // Spawned, so that a start completes even if the client disconnects; the session is then cancelled.
    tokio::spawn(async move {
        let Some(driver) = starting.await else { return };
        driver.run().await;
    });
    started.await.unwrap_or_else(|_| Err(Failure::unavailable("the session could not be created")))?;
    record_in_current_span("session_id", &session_id);
    let created = Created { session_id: &session_id, protocol_version: PROTOCOL_VERSION };
    Ok(reply::json(StatusCode::OK, &created))
}

/// Builds the spec of the agent to start, if the policy allows it.
async fn permitted<L: EventLog>(
    wanted: CreateSession,
    sessions: &Sessions<L>,
) -> Result<SessionSpec, Failure> {
    let policy = sessions.policy();
    let CreateSession { model, permission_mode, cwd } = wanted;
    if let Some(mode) = &permission_mode {
        policy.start_in(mode).map_err(|denied| Failure::forbidden(denied.to_string()))?;
    }
    let cwd = match cwd {
        // The default directory is resolved already, so this reads no file.
        None => policy.directory(None),
        Some(cwd) => {
            let policy = policy.clone();
            tokio::task::spawn_blocking(move || policy.directory(Some(&cwd)))
                .await
                .map_err(|_| Failure::unavailable("cwd could not be checked"))?
        }
    };
    let cwd = cwd.map_err(|denied| Failure::forbidden(denied.to_string()))?;
    Ok(SessionSpec { model, permission_mode, ..sessions.spec(Uuid::new_v4().to_string(), cwd) })
}
