//! What can go wrong for a client.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use tower::BoxError;

/// The error of a [`Client`](super::Client) and of its streams.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server, or something before it, refused the request.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There was no answer: the connection failed, broke or was silent.
    #[error("the server cannot be reached")]
    Transport(#[source] BoxError),
    /// The server answered something that is not the protocol. For a stream: an event is missing, came twice, or cannot
    /// be read.
    #[error("the server does not keep to the protocol: {0}")]
    Protocol(String),
    /// The callback that renews the credential failed.
    #[error("there is no credential")]
    Credential(#[source] BoxError),
}

/// An answer with an error status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// The server's sentence; empty if the answer has none.
    pub detail: String,
    /// A name for programs, such as `backpressure`, where the protocol has one.
    pub code: Option<String>,
    /// The time after which to try again, if the answer names one.
    pub retry_after: Option<Duration>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Body {
            #[serde(default)]
            detail: String,
            code: Option<String>,
        }
        let Body { detail, code } = serde_json::from_slice(body).unwrap_or_default();
        let seconds =
            headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self { status, detail, code, retry_after: seconds.map(Duration::from_secs) }
    }

    /// Whether the same request may be accepted later: 503, or another answer of an overloaded server or proxy.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        if self.detail.is_empty() {
            write!(f, "{status}")
        } else {
            write!(f, "{}: {}", status.as_u16(), self.detail)
        }
    }
}

impl std::error::Error for Refused {}

impl Error {
    /// The refusal, if it is one.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    pub(super) fn has_status(&self, status: StatusCode) -> bool {
        self.refused().is_some_and(|refused| refused.status == status)
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.refused().and_then(|refused| refused.retry_after)
    }

    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.is_temporary(),
            Self::Transport(_) => true,
            Self::Protocol(_) | Self::Credential(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_as_far_as_it_can_be() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "3".parse().unwrap());
        let body = br#"{"detail":"too many messages","code":"backpressure","new":1}"#;
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, &headers, body);
        assert_eq!(
            (refused.detail.as_str(), refused.code.as_deref()),
            ("too many messages", Some("backpressure"))
        );
        assert_eq!(refused.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(refused.to_string(), "503: too many messages");

        headers.insert(header::RETRY_AFTER, "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        let proxy = Refused::new(StatusCode::BAD_GATEWAY, &headers, b"<html>");
        assert_eq!((proxy.detail.as_str(), proxy.code.as_deref(), proxy.retry_after), ("", None, None));
        assert_eq!(proxy.to_string(), "502 Bad Gateway");
    }
}
