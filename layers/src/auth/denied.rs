use http::{HeaderValue, Response, StatusCode, header};

use crate::reply::{self, Reply};

/// Why a request is not let in. Its `Display` is the sentence that the client reads.
///
/// Every credential that does not hold is the one [`Invalid`](Denied::Invalid): which part of it was
/// wrong is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// The request carries no credential: 401.
    Missing,
    /// The credential does not hold: 401.
    Invalid,
    /// The credential holds and does not allow this: 403.
    Forbidden,
    /// The credential cannot be checked now: 503.
    ///
    /// Log the cause before saying so: it does not leave the verifier.
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

    pub(super) fn render(self) -> Response<Reply> {
        match self {
            Self::Missing => challenge(self.sentence(), "Bearer"),
            Self::Invalid => challenge(self.sentence(), "Bearer error=\"invalid_token\""),
            Self::Forbidden => reply::detail(StatusCode::FORBIDDEN, self.sentence()),
            Self::Unavailable => reply::unavailable(self.sentence(), 1),
        }
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Denied {}

fn challenge(sentence: &str, scheme: &'static str) -> Response<Reply> {
    let mut response = reply::detail(StatusCode::UNAUTHORIZED, sentence);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}
