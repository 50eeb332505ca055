//! `GET /sessions/{id}/commands`, `/models`, `/context`, `/mcp` and `/files`.

use std::collections::BTreeMap;

use http::{Response, StatusCode, Uri};

use super::{failure::Failure, reply};
use crate::{
    layers::{reply::ResponseBody, resume::EventLog},
    proto::Look,
    service::handle::SessionHandle,
};

/// Answers what the agent answers, under the name of the route.
pub(crate) async fn look<L: EventLog, B>(
    session: &SessionHandle<L>,
    look: Look,
) -> Result<Response<ResponseBody<B>>, Failure> {
    let found = session.look(look).await?;
    Ok(reply::json(StatusCode::OK, &BTreeMap::from([(look.name(), found)])))
}

/// Answers the paths that hold the query.
pub(crate) async fn files<L: EventLog, B>(
    session: &SessionHandle<L>,
    uri: &Uri,
) -> Result<Response<ResponseBody<B>>, Failure> {
    let mut members = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = members.find(|(name, _)| name == "query").map(|(_, value)| value).unwrap_or_default();
    Ok(reply::json(StatusCode::OK, &BTreeMap::from([("files", session.files(&query).await?)])))
}
