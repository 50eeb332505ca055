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
pub struct BoxVerify<P = Principal>(Arc<dyn Verify<Principal = P, Future = BoxFuture<P>> + Send + Sync>);

type BoxFuture<P> = Pin<Box<dyn Future<Output = Result<P, Denied>> + Send>>;

impl<P: Clone + Send + Sync + 'static> BoxVerify<P> {
    /// Boxes this verifier.
    pub fn new<V>(verifier: V) -> Self
    where
        V: Verify<Principal = P, Future: Send + 'static> + Send + Sync + 'static,
    {
        Self(Arc::new(Boxing(verifier)))
    }
}

impl<P: Clone + Send + Sync + 'static> Verify for BoxVerify<P> {
    type Principal = P;
    type Future = BoxFuture<P>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        self.0.verify(parts)
    }
}

impl<P> Clone for BoxVerify<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> fmt::Debug for BoxVerify<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxVerify").finish_non_exhaustive()
    }
}

struct Boxing<V>(V);

impl<V: Verify<Future: Send + 'static>> Verify for Boxing<V> {
    type Principal = V::Principal;
    type Future = BoxFuture<V::Principal>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        Box::pin(self.0.verify(parts))
    }
}
