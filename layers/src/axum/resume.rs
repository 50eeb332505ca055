use axum_core::extract::FromRequestParts;
use http::{StatusCode, request::Parts};

use crate::{
    reply::Refusal,
    resume::{Cursor, last_event_id},
};

/// Where the client of an event stream goes on: see [`last_event_id`].
///
/// ```
/// use agent_webkit_layers::{
///     axum::LastEventId,
///     reply::Refusal,
///     resume::{EventStream, Follow, RingStream},
/// };
/// use axum::{body::Body, extract::State, http::StatusCode, response::Response};
///
/// async fn news(
///     LastEventId(cursor): LastEventId,
///     State(news): State<RingStream>,
/// ) -> Result<Response, Refusal> {
///     let gone = |error| Refusal::new(StatusCode::PRECONDITION_FAILED, format!("{error}"));
///     let tail = news.tail(cursor).await.map_err(gone)?;
///     let stream = Response::builder().header("content-type", "text/event-stream");
///     Ok(stream.body(Body::new(Follow::new(tail, None))).expect("a valid head"))
/// }
/// # let _ = axum::Router::<RingStream>::new().route("/", axum::routing::get(news));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEventId(pub Cursor);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let cursor = last_event_id(parts);
        cursor.map(Self).map_err(|invalid| Refusal::new(StatusCode::BAD_REQUEST, invalid.to_string()))
    }
}
