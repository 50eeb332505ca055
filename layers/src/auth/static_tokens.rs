use std::{
    fmt,
    future::{Ready, ready},
    sync::Arc,
};

use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{Denied, Principal, Verify, bearer};

/// A few tokens that the operator knows, several so that they can be rotated.
///
/// Only SHA-256 digests are kept. A request's token is compared with all of them, each in constant time.
/// Tokens that share a name are the same principal; the ones given without a name are the principal
/// [`StaticTokens::UNNAMED`]. The default holds no token and admits nobody. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::auth::{StaticTokens, TokenError};
///
/// let tokens = StaticTokens::new(["this-month", "last-month"])?.with("ci", "robot-token")?;
/// assert_eq!(format!("{tokens:?}"), "StaticTokens(..)");
/// assert_eq!(StaticTokens::new([""]).unwrap_err(), TokenError::Empty);
/// # Ok::<(), TokenError>(())
/// ```
#[derive(Clone, Default)]
pub struct StaticTokens {
    known: Arc<[Known]>,
}

#[derive(Clone)]
struct Known {
    digest: [u8; 32],
    principal: Principal,
}

impl StaticTokens {
    /// The name of the principal whose tokens were given without a name.
    pub const UNNAMED: &str = "default";

    /// These tokens, all of them the principal [`UNNAMED`](Self::UNNAMED).
    ///
    /// # Errors
    /// When no request could carry one of them.
    pub fn new<T>(tokens: impl IntoIterator<Item = T>) -> Result<Self, TokenError>
    where
        T: AsRef<str>,
    {
        tokens.into_iter().try_fold(Self::default(), |known, token| known.with(Self::UNNAMED, token))
    }

    /// Adds a token of the principal `name`.
    ///
    /// # Errors
    /// When no request could carry it.
    pub fn with(self, name: &str, token: impl AsRef<str>) -> Result<Self, TokenError> {
        let token = token.as_ref();
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::NotSendable);
        }
        let added = Known { digest: Sha256::digest(token).into(), principal: Principal::new(name) };
        Ok(Self { known: self.known.iter().cloned().chain([added]).collect() })
    }

    /// Whether there is no token, so that nobody is admitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn principal_of(&self, token: &str) -> Option<&Principal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = u64::MAX;
        for (index, known) in (0_u64..).zip(self.known.iter()) {
            found.conditional_assign(&index, known.digest.ct_eq(&digest));
        }
        usize::try_from(found).ok().and_then(|index| self.known.get(index)).map(|known| &known.principal)
    }
}

impl Verify for StaticTokens {
    type Future = Ready<Result<Principal, Denied>>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        ready(
            bearer(&parts.headers).and_then(|token| self.principal_of(token).cloned().ok_or(Denied::Invalid)),
        )
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticTokens(..)")
    }
}

/// Why [`StaticTokens`] does not take a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It is empty.
    Empty,
    /// It has a character that cannot stand in an `Authorization` header, such as the line break at the
    /// end of a file.
    NotSendable,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a token must not be empty",
            Self::NotSendable => "a token must be visible ASCII, without spaces and line breaks",
        })
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of<'a>(tokens: &'a StaticTokens, token: &str) -> Option<&'a str> {
        tokens.principal_of(token).map(|principal| &*principal.name)
    }

    #[test]
    fn each_token_is_its_principal_and_nothing_else_is_anyone() {
        let tokens = StaticTokens::new(["new", "old"]).unwrap().with("ci", "robot").unwrap();
        assert_eq!(name_of(&tokens, "new"), Some("default"));
        assert_eq!(name_of(&tokens, "old"), Some("default"));
        assert_eq!(name_of(&tokens, "robot"), Some("ci"));
        for wrong in ["", "ne", "neww", "New", "default", "ci", "new\0"] {
            assert_eq!(name_of(&tokens, wrong), None, "{wrong:?}");
        }
        assert!(StaticTokens::default().is_empty());
        assert_eq!(name_of(&StaticTokens::default(), ""), None);
    }

    #[test]
    fn a_token_that_no_request_could_carry_is_refused() {
        assert_eq!(StaticTokens::new(["fine", ""]).unwrap_err(), TokenError::Empty);
        for token in ["from a file\n", "two words", " ", "\t", "schlüssel", "nul\0"] {
            assert_eq!(StaticTokens::new([token]).unwrap_err(), TokenError::NotSendable, "{token:?}");
        }
    }

    #[test]
    fn debug_shows_neither_tokens_nor_digests() {
        let tokens = StaticTokens::default().with("ada", "s3cret").unwrap();
        assert_eq!(format!("{tokens:?}"), "StaticTokens(..)");
    }
}
