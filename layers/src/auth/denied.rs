use http::{HeaderValue, Response, StatusCode, header};

use crate::reply::{Refusal, ResponseBody};

/// The reason why a request is denied. Its `Display` is the sentence that the client receives.
///
/// Every invalid credential is [`Invalid`](Denied::Invalid), so that the answer does not reveal what is wrong with it.
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

    /// The response, without its body if it answers a `HEAD` request (`head`).
    pub(super) fn render<B>(self, head: bool) -> Response<ResponseBody<B>> {
        let (status, challenge) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, Some("Bearer")),
            Self::Invalid => (StatusCode::UNAUTHORIZED, Some("Bearer error=\"invalid_token\"")),
            Self::Forbidden => (StatusCode::FORBIDDEN, None),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut refusal = Refusal::new(status, self.sentence());
        if self == Self::Unavailable {
            refusal = refusal.with_retry_after(1);
        }
        let mut response = refusal.into_response(head);
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Denied {}
