//! `POST /sessions`.

use http::{Response, StatusCode};
use serde::Serialize;

use super::{failure::Failure, reply, scope::Caller, span::record_in_current_span};
use crate::{
    layers::{reply::ResponseBody, resume::EventLog},
    proto::PROTOCOL_VERSION,
    service::{handle, registry::sessions::Sessions},
};

#[derive(Serialize)]
struct Created<'a> {
    session_id: &'a str,
    protocol_version: &'a str,
}

/// Creates a session for the caller. Answers once the agent is started, without waiting until it is ready.
pub(crate) async fn create<L: EventLog, F>(
    body: &[u8],
    caller: Caller<'_>,
    sessions: &Sessions<L>,
) -> Result<Response<ResponseBody<F>>, Failure> {
    let wanted = handle::parse_new(body)?;
    if let Some(mode) = &wanted.permission_mode {
        caller.must_choose(mode)?;
    }
    if let Some(profile) = &wanted.profile {
        caller.must_choose_profile(profile)?;
    }
    let session = sessions.create_as_wanted(wanted, caller.owner()).await?;
    record_in_current_span("session_id", session.id());
    let created = Created { session_id: session.id(), protocol_version: PROTOCOL_VERSION };
    Ok(reply::json(StatusCode::OK, &created))
}
