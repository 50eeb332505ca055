use tower_layer::Layer;

use super::{AllowHost, names::Names};

/// Applies [`AllowHost`]: requests for other host names get a 403.
///
/// ```
/// use agent_webkit_layers::host::AllowHostLayer;
///
/// let layer = AllowHostLayer::loopback().allow("agents.example.com");
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
pub struct AllowHostLayer {
    names: Names,
}

impl AllowHostLayer {
    /// Allows `localhost` and every loopback address.
    #[must_use]
    pub fn loopback() -> Self {
        Self { names: Names::loopback() }
    }

    /// Allows every name, for a server that is reachable from everywhere.
    #[must_use]
    pub const fn any() -> Self {
        Self { names: Names::any() }
    }

    /// Allows one more name or address, given without a port.
    #[must_use]
    pub fn allow(self, name: impl Into<String>) -> Self {
        Self { names: self.names.with(name.into()) }
    }
}

impl<S> Layer<S> for AllowHostLayer {
    type Service = AllowHost<S>;

    fn layer(&self, inner: S) -> AllowHost<S> {
        AllowHost::new(inner, self.names.clone())
    }
}
