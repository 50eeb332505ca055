//! Refusals of the service, before they become responses.

use std::{borrow::Cow, error::Error, time::Duration};

use http::StatusCode;

use crate::{
    error_text::with_sources,
    layers::lookup::Unavailable,
    storage::{catalog::CatalogError, transcripts::StoreError},
};

const BACKPRESSURE: &str = "backpressure";

/// A refusal: a status, a sentence, and what the protocol wants beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) code: Option<&'static str>,
    /// In seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) allow: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), code: None, retry_after: None, allow: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn is_backpressure(&self) -> bool {
        self.code == Some(BACKPRESSURE)
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

    /// 503, and the client may come back in a second.
    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 503, and the client may come back after that time.
    pub(crate) fn unavailable_for(time: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after: Some(time.as_secs() + 1), ..Self::unavailable(detail) }
    }

    pub(crate) fn backpressure() -> Self {
        Self {
            code: Some(BACKPRESSURE),
            ..Self::unavailable("too many messages are queued; try again later")
        }
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(crate) fn unknown_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such session")
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come")
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"))
    }
}

/// The operator is told why, the client is not.
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
    tracing::error!(error = with_sources(error), "the session store is not available");
    Failure::unavailable("the session store is not available now; try again")
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        let retry_after = failure.retry_after.unwrap_or(1);
        Self::new(failure.detail).retry_after(retry_after)
    }
}
