//! The errors that the service answers with.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    layers::{lookup::Unavailable, reply::Refusal},
    proto::Exceeded,
    service::error::SessionError,
};

/// An error of the service: a [`Refusal`] with the texts and codes of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(Refusal);

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Refusal::new(status, detail))
    }

    /// Builds the response, without a body for a `HEAD` request (`head`).
    pub(crate) fn into_response<B: From<Bytes>>(self, head: bool) -> Response<B> {
        self.0.into_response(head)
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        Self(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_allow(allow))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come")
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let mut refusal = Refusal::new(error.status(), error.to_string());
        if let Some(time) = error.retry_after() {
            refusal = refusal.with_retry_after(time.as_secs());
        }
        match error {
            SessionError::Backpressure => refusal = refusal.with_code("backpressure"),
            SessionError::BudgetExceeded { .. } => refusal = refusal.with_code(Exceeded::CODE),
            _ => {}
        }
        Self(refusal)
    }
}

impl From<SessionError> for Unavailable {
    fn from(error: SessionError) -> Self {
        let seconds = error.retry_after().map_or(1, |time| time.as_secs());
        Self::new(error.to_string()).retry_after(seconds)
    }
}
