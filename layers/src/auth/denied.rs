use http::{HeaderValue, StatusCode};

use crate::reply::Refusal;

/// The reason why a request is denied. Its `Display` is the sentence that the client receives.
///
/// Every invalid credential is [`Invalid`](Denied::Invalid), so that the answer does not reveal what is wrong with it.
///
/// ```
/// use agent_webkit_layers::{auth::Denied, reply::Refusal};
/// use http::StatusCode;
///
/// assert_eq!(Denied::Missing.to_string(), "a bearer token is needed");
/// assert_eq!(Refusal::from(Denied::Forbidden).status(), StatusCode::FORBIDDEN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// The request carries no credential: 401.
    Missing,
    /// The credential is not valid: 401.
    Invalid,
    /// The credential is valid but does not allow this request: 403.
    Forbidden,
    /// The credential cannot be checked now: 503.
    ///
    /// A verifier should log the cause, because this variant does not carry it.
    Unavailable,
}

impl Denied {
    fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is needed",
            Self::Invalid => "the bearer token is not valid",
            Self::Forbidden => "the bearer token does not allow this",
            Self::Unavailable => "the bearer token cannot be checked now, try again later",
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let (status, challenge) = match denied {
            Denied::Missing => (StatusCode::UNAUTHORIZED, Some("Bearer")),
            Denied::Invalid => (StatusCode::UNAUTHORIZED, Some("Bearer error=\"invalid_token\"")),
            Denied::Forbidden => (StatusCode::FORBIDDEN, None),
            Denied::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut refusal = Self::new(status, denied.sentence());
        if denied == Denied::Unavailable {
            refusal = refusal.with_retry_after(1);
        }
        match challenge {
            Some(challenge) => refusal.with_challenge(HeaderValue::from_static(challenge)),
            None => refusal,
        }
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Denied {}
