use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};

use super::{Revocation, Scopes};

/// The caller of a request, as the verifier identified it; [`AuthLayer`](super::AuthLayer) puts it into the
/// request's extensions.
///
/// Principals with equal names are the same owner. Two principals are equal if they may do the same until the same time;
/// the revocation does not count. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::auth::{Principal, Scopes};
///
/// let ada = Principal::new("ada");
/// assert!(ada.scopes.allow("write"), "who is not limited may do everything");
/// let reader = ada.with_scopes(Scopes::of(["read"]));
/// assert!(!reader.scopes.allow("write"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Principal {
    /// The name, unique among the verifier's principals.
    pub name: Arc<str>,
    /// What the credential allows. By default everything.
    pub scopes: Scopes,
    /// The time when the credential expires. By default never.
    pub expires_at: Option<SystemTime>,
    /// Tells that the credential was revoked. By default it cannot be.
    pub revocation: Option<Revocation>,
}

impl Principal {
    /// A principal with this name that has all scopes and does not expire.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), scopes: Scopes::all(), expires_at: None, revocation: None }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn with_scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// Sets the expiry time.
    #[must_use]
    pub fn expiring_at(self, time: SystemTime) -> Self {
        Self { expires_at: Some(time), ..self }
    }

    /// Sets what tells that the credential was revoked.
    #[must_use]
    pub fn revocable_by(self, revocation: Revocation) -> Self {
        Self { revocation: Some(revocation), ..self }
    }

    /// Whether the credential was revoked.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.revocation.as_ref().is_some_and(Revocation::is_revoked)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, scopes, expires_at, revocation: _ } = self;
        (name, scopes, expires_at) == (&other.name, &other.scopes, &other.expires_at)
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { name, scopes, expires_at, revocation: _ } = self;
        (name, scopes, expires_at).hash(state);
    }
}
