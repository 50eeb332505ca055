use std::{sync::Arc, time::SystemTime};

use super::Scopes;

/// The caller of a request, as the verifier identified it; [`AuthLayer`](super::AuthLayer) puts it into the
/// request's extensions.
///
/// Principals with equal names are the same owner. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::auth::{Principal, Scopes};
///
/// let ada = Principal::new("ada");
/// assert!(ada.scopes.allow("write"), "who is not limited may do everything");
/// let reader = ada.with_scopes(Scopes::of(["read"]));
/// assert!(!reader.scopes.allow("write"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Principal {
    /// The name, unique among the verifier's principals.
    pub name: Arc<str>,
    /// What the credential allows. By default everything.
    pub scopes: Scopes,
    /// The time when the credential expires. By default never.
    pub expires_at: Option<SystemTime>,
}

impl Principal {
    /// A principal with this name that has all scopes and does not expire.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), scopes: Scopes::all(), expires_at: None }
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
}
