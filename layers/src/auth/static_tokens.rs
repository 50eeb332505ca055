use std::{
    fmt,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use http::request::Parts;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::{Denied, Principal, Revocation, Verify, bearer};
use crate::sync::lock;

/// A fixed set of tokens with the names of their principals.
///
/// A request's token is compared with all tokens, each over the same number of bytes: the time depends on the longest
/// token of the set and on the length of the request's token, not on which token matches or where two tokens differ.
/// A name may have several tokens, so that they can be rotated. A token without a name belongs to the principal
/// [`StaticTokens::UNNAMED`]. The default has no token and accepts no request.
///
/// Cloning is cheap, and clones share the set: [`replace`](StaticTokens::replace) changes it for all of them
/// at run time.
///
/// ```
/// use agent_webkit_layers::auth::{StaticTokens, TokenError};
///
/// let tokens = StaticTokens::new(["this-month", "last-month"])?.with("ci", "robot-token")?;
/// assert_eq!(format!("{tokens:?}"), "StaticTokens(..)");
/// assert_eq!(StaticTokens::new([""]).unwrap_err(), TokenError::Empty);
///
/// // Last month's is revoked, for every clone.
/// tokens.replace(&StaticTokens::new(["this-month"])?);
/// # Ok::<(), TokenError>(())
/// ```
#[derive(Clone, Default)]
pub struct StaticTokens {
    current: Arc<Mutex<Arc<[Arc<Known>]>>>,
}

/// A token and its principal, with a revocation of this set's own.
struct Known {
    token: Box<[u8]>,
    principal: Principal,
}

impl Known {
    fn new(token: &[u8], principal: Principal) -> Self {
        Self { token: token.into(), principal: principal.revocable_by(Revocation::new()) }
    }

    /// The same token in another set.
    fn anew(&self) -> Self {
        Self::new(&self.token, self.principal.clone())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.token == other.token && self.principal == other.principal
    }

    fn revoke(&self) {
        if let Some(revocation) = &self.principal.revocation {
            revocation.revoke();
        }
    }
}

impl StaticTokens {
    /// The name of the principal of tokens without a name.
    pub const UNNAMED: &str = "default";

    /// A set of these tokens, which all belong to the principal [`UNNAMED`](Self::UNNAMED).
    ///
    /// # Errors
    /// No request could carry one of the tokens.
    pub fn new<T>(tokens: impl IntoIterator<Item = T>) -> Result<Self, TokenError>
    where
        T: AsRef<str>,
    {
        tokens.into_iter().try_fold(Self::default(), |known, token| known.with(Self::UNNAMED, token))
    }

    /// A new set of these tokens and one more, which belongs to the principal `name`.
    ///
    /// # Errors
    /// No request could carry the token.
    pub fn with(self, name: &str, token: impl AsRef<str>) -> Result<Self, TokenError> {
        self.with_principal(Principal::new(name), token)
    }

    /// A new set of these tokens and one more, which belongs to this principal.
    ///
    /// # Errors
    /// No request could carry the token.
    pub fn with_principal(self, principal: Principal, token: impl AsRef<str>) -> Result<Self, TokenError> {
        let token = token.as_ref();
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::NotSendable);
        }
        let added = Known::new(token.as_bytes(), principal);
        let known =
            self.known().iter().map(|known| Arc::new(known.anew())).chain([Arc::new(added)]).collect();
        Ok(Self { current: Arc::new(Mutex::new(known)) })
    }

    /// Replaces the set by that of `other`, from the next request on, for all clones.
    ///
    /// A token that `other` has not, or has for another principal or other scopes, is revoked. The layer in
    /// `expiry` (feature `expiry`) ends the streams that it opened.
    pub fn replace(&self, other: &Self) {
        let new = other.known();
        let replaced = {
            let mut current = lock(&self.current);
            let kept = |new: &Arc<Known>| current.iter().find(|old| old.is_same(new)).cloned();
            let next = new.iter().map(|new| kept(new).unwrap_or_else(|| Arc::new(new.anew()))).collect();
            std::mem::replace(&mut *current, next)
        };
        let revoked = replaced.iter().filter(|old| !new.iter().any(|new| new.is_same(old)));
        revoked.for_each(|old| old.revoke());
    }

    /// Whether the set is empty, so that no request is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    fn known(&self) -> Arc<[Arc<Known>]> {
        Arc::clone(&lock(&self.current))
    }

    /// The principal of this token, unless it has expired. Compares with every token, whichever one matches.
    fn principal_of(&self, token: &str) -> Option<Principal> {
        let known = self.known();
        let width = known.iter().map(|known| known.token.len()).max().unwrap_or(0).max(token.len());
        let mut found = u64::MAX;
        for (index, known) in (0_u64..).zip(known.iter()) {
            found.conditional_assign(&index, same(&known.token, token.as_bytes(), width));
        }
        let found = known.get(usize::try_from(found).ok()?)?;
        let expired = found.principal.expires_at.is_some_and(|end| end <= SystemTime::now());
        (!expired).then(|| found.principal.clone())
    }
}

/// Compares two tokens over `width` bytes, whatever their lengths: `ct_eq` of slices returns early if the lengths
/// differ, which would reveal the length of a token. A position past the end of a token equals no byte.
fn same(known: &[u8], given: &[u8], width: usize) -> Choice {
    let byte = |token: &[u8], at: usize| token.get(at).map_or(0x100, |byte| u16::from(*byte));
    (0..width).fold(Choice::from(1), |same, at| same & byte(known, at).ct_eq(&byte(given, at)))
}

impl Verify for StaticTokens {
    type Principal = Principal;
    type Future = Ready<Result<Principal, Denied>>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        ready(bearer(&parts.headers).and_then(|token| self.principal_of(token).ok_or(Denied::Invalid)))
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticTokens(..)")
    }
}

/// Why [`StaticTokens`] rejects a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is empty.
    Empty,
    /// The token has a character that is not allowed in an `Authorization` header, such as the line break at the end
    /// of a file.
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

    fn name_of(tokens: &StaticTokens, token: &str) -> Option<String> {
        tokens.principal_of(token).map(|principal| principal.name.to_string())
    }

    #[test]
    fn each_token_is_its_principal_and_nothing_else_is_anyone() {
        let tokens = StaticTokens::new(["new", "old"]).unwrap().with("ci", "robot").unwrap();
        assert_eq!(name_of(&tokens, "new").as_deref(), Some("default"));
        assert_eq!(name_of(&tokens, "old").as_deref(), Some("default"));
        assert_eq!(name_of(&tokens, "robot").as_deref(), Some("ci"));
        for wrong in ["", "ne", "neww", "New", "default", "ci", "new\0"] {
            assert_eq!(name_of(&tokens, wrong), None, "{wrong:?}");
        }
        assert!(StaticTokens::default().is_empty());
        assert_eq!(name_of(&StaticTokens::default(), ""), None);
    }

    #[test]
    fn a_replaced_set_holds_for_every_clone_and_no_other_set() {
        let tokens = StaticTokens::new(["old"]).unwrap();
        let (clone, grown) = (tokens.clone(), tokens.clone().with("ci", "robot").unwrap());
        clone.replace(&StaticTokens::default().with("ada", "new").unwrap());
        assert_eq!(name_of(&tokens, "old"), None);
        assert_eq!(name_of(&tokens, "new").as_deref(), Some("ada"));
        assert_eq!(name_of(&grown, "old").as_deref(), Some("default"));
        assert_eq!(name_of(&tokens, "robot"), None);
    }

    #[test]
    fn what_the_next_set_has_not_or_not_so_is_revoked_and_nothing_else() {
        let scoped = |scope: &str| Principal::new("ada").with_scopes(super::super::Scopes::of([scope]));
        let with = |tokens: StaticTokens, scope| tokens.with_principal(scoped(scope), "scoped").unwrap();
        let tokens = with(StaticTokens::new(["kept", "gone"]).unwrap(), "read");
        let other = tokens.clone().with("ci", "robot").unwrap();
        let of = |tokens: &StaticTokens, token| tokens.principal_of(token).unwrap();
        let [kept, gone, changed] = ["kept", "gone", "scoped"].map(|token| of(&tokens, token));
        let elsewhere = of(&other, "gone");

        tokens.replace(&with(StaticTokens::new(["kept", "new"]).unwrap(), "write"));
        assert_eq!([&kept, &gone, &changed].map(Principal::is_revoked), [false, true, true]);
        assert!(!elsewhere.is_revoked(), "another set has its own");
        assert!(["kept", "new", "scoped"].iter().all(|token| !of(&tokens, token).is_revoked()));
        tokens.replace(&StaticTokens::default());
        assert!(kept.is_revoked(), "a token that was kept can still be revoked");
    }

    #[test]
    fn an_expired_token_is_nobodys() {
        let now = SystemTime::now();
        let of = |end| {
            let ada = Principal::new("ada").expiring_at(end);
            StaticTokens::default().with_principal(ada, "token").unwrap()
        };
        assert_eq!(name_of(&of(now), "token"), None);
        assert!(name_of(&of(now + std::time::Duration::from_secs(60)), "token").is_some());
    }

    #[test]
    fn a_token_that_no_request_could_carry_is_refused() {
        assert_eq!(StaticTokens::new(["fine", ""]).unwrap_err(), TokenError::Empty);
        for token in ["from a file\n", "two words", " ", "\t", "schlüssel", "nul\0"] {
            assert_eq!(StaticTokens::new([token]).unwrap_err(), TokenError::NotSendable, "{token:?}");
        }
    }

    #[test]
    fn debug_shows_no_tokens() {
        let tokens = StaticTokens::default().with("ada", "s3cret").unwrap();
        assert_eq!(format!("{tokens:?}"), "StaticTokens(..)");
    }
}
