//! The errors that the service answers with.

use std::{borrow::Cow, error::Error, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    error_text::with_sources,
    layers::{lookup::Unavailable, reply::Refusal},
    storage::{catalog::CatalogError, transcripts::StoreError},
};

const BACKPRESSURE: &str = "backpressure";

/// An error of the service: a [`Refusal`] with the texts and codes of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(Refusal);

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Refusal::new(status, detail))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub(crate) fn is_backpressure(&self) -> bool {
        self.0.code() == Some(BACKPRESSURE)
    }

    /// Builds the response, without a body for a `HEAD` request (`head`).
    pub(crate) fn into_response<B: From<Bytes>>(self, head: bool) -> Response<B> {
        self.0.into_response(head)
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 503 with a `Retry-After` of one second.
    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_retry_after(1))
    }

    /// 503 with a `Retry-After` of this time, rounded up to whole seconds.
    pub(crate) fn unavailable_for(time: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Self::unavailable(detail).0.with_retry_after(time.as_secs() + 1))
    }

    pub(crate) fn backpressure() -> Self {
        Self(Self::unavailable("too many messages are queued; try again later").0.with_code(BACKPRESSURE))
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(crate) fn unknown_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such session")
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        Self(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_allow(allow))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come")
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"))
    }
}

/// Logs the cause, which is not sent to the client.
impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        no_store(&error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        no_store(&error)
    }
}

fn no_store(error: &dyn Error) -> Failure {
    tracing::error!(error = with_sources(error), "the session storage is unavailable");
    Failure::unavailable("the session storage is not available now; try again")
}

impl From<Failure> for Unavailable {
    fn from(Failure(refusal): Failure) -> Self {
        Self::new(refusal.detail().to_owned()).retry_after(refusal.retry_after().unwrap_or(1))
    }
}
