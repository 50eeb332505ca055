use std::{fmt, pin::Pin, sync::Arc};

use http::request::Parts;

use super::{Denied, Principal, Verify};

/// A boxed verifier, for hosts that choose a verifier at run time. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::auth::{AuthLayer, BoxVerify, Disabled, StaticTokens, TokenError};
///
/// fn verifier(token: Option<&str>) -> Result<BoxVerify, TokenError> {
///     Ok(match token {
///         Some(token) => BoxVerify::new(StaticTokens::new([token])?),
///         None => BoxVerify::new(Disabled),
///     })
/// }
/// let layer = AuthLayer::new(verifier(Some("s3cret"))?);
/// # let _ = layer;
/// # Ok::<(), TokenError>(())
/// ```
#[derive(Clone)]
pub struct BoxVerify(Arc<dyn Verify<Future = BoxFuture> + Send + Sync>);

type BoxFuture = Pin<Box<dyn Future<Output = Result<Principal, Denied>> + Send>>;

impl BoxVerify {
    /// Boxes this verifier.
    pub fn new<V>(verifier: V) -> Self
    where
        V: Verify<Future: Send + 'static> + Send + Sync + 'static,
    {
        Self(Arc::new(Boxing(verifier)))
    }
}

impl Verify for BoxVerify {
    type Future = BoxFuture;

    fn verify(&self, parts: &Parts) -> Self::Future {
        self.0.verify(parts)
    }
}

impl fmt::Debug for BoxVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxVerify").finish_non_exhaustive()
    }
}

struct Boxing<V>(V);

impl<V: Verify<Future: Send + 'static>> Verify for Boxing<V> {
    type Future = BoxFuture;

    fn verify(&self, parts: &Parts) -> Self::Future {
        Box::pin(self.0.verify(parts))
    }
}
