use std::sync::Arc;

/// Who sends a request, as the verifier knows it; [`AuthLayer`](super::AuthLayer) puts it into the
/// request's extensions.
///
/// Two requests are of the same owner when their principals' names are equal. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Principal {
    /// The name, unique among the verifier's principals.
    pub name: Arc<str>,
}

impl Principal {
    /// The principal of that name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into() }
    }
}
