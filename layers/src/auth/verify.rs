use std::{
    fmt,
    future::{Ready, ready},
    sync::{Arc, LazyLock},
};

use http::request::Parts;

use super::{Denied, Principal};

/// Checks the credential of a request and returns the caller's principal.
///
/// The verifiers of this crate return a [`Principal`]. Your own may return any type, such as the claims of a token or a
/// tenant; [`AuthLayer`](super::AuthLayer) puts it into the request's extensions as it is.
///
/// The future does not borrow the request: `verify` copies what the future needs.
///
/// ```
/// use std::{collections::HashMap, future::{Ready, ready}};
///
/// use agent_webkit_layers::auth::{Denied, Principal, Verify, bearer};
/// use http::request::Parts;
///
/// struct ApiKeys(HashMap<String, Principal>);
///
/// impl Verify for ApiKeys {
///     type Principal = Principal;
///     type Future = Ready<Result<Principal, Denied>>;
///
///     fn verify(&self, parts: &Parts) -> Self::Future {
///         ready(bearer(&parts.headers).and_then(|key| self.0.get(key).cloned().ok_or(Denied::Invalid)))
///     }
/// }
///
/// let keys = ApiKeys(HashMap::from([("k1".to_owned(), Principal::new("ada"))]));
/// let (parts, ()) = http::Request::get("/").header("authorization", "Bearer k1").body(())?.into_parts();
/// assert_eq!(keys.verify(&parts).into_inner(), Ok(Principal::new("ada")));
/// # Ok::<(), http::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot verify requests",
    label = "this is no verifier",
    note = "choose one with `.auth(…)`: `StaticTokens`, your own `Verify`, or `Disabled` to accept every request"
)]
pub trait Verify {
    /// Who the caller is. It should be cheap to clone.
    type Principal: Clone + Send + Sync + 'static;
    /// Resolves to the principal, or to the reason why the request is denied.
    type Future: Future<Output = Result<Self::Principal, Denied>>;

    /// Starts to verify the request with this head.
    fn verify(&self, parts: &Parts) -> Self::Future;
}

impl<V: Verify + ?Sized> Verify for &V {
    type Principal = V::Principal;
    type Future = V::Future;

    fn verify(&self, parts: &Parts) -> Self::Future {
        (**self).verify(parts)
    }
}

impl<V: Verify + ?Sized> Verify for Arc<V> {
    type Principal = V::Principal;
    type Future = V::Future;

    fn verify(&self, parts: &Parts) -> Self::Future {
        (**self).verify(parts)
    }
}

/// A [`Verify`] from a closure over the request's head.
///
/// ```
/// use agent_webkit_layers::auth::{AuthLayer, Denied, Principal, bearer, verify_fn};
/// use http::request::Parts;
/// # async fn ask_the_directory(token: &str) -> Result<String, std::io::Error> { Ok(token.to_owned()) }
///
/// let layer = AuthLayer::new(verify_fn(|parts: &Parts| {
///     let token = bearer(&parts.headers).map(str::to_owned);
///     async move {
///         let name = ask_the_directory(&token?).await.map_err(|_| Denied::Unavailable)?;
///         Ok(Principal::new(name))
///     }
/// }));
/// # let _ = layer;
/// ```
///
/// The principal may be of any type:
///
/// ```
/// use agent_webkit_layers::auth::{AuthLayer, Denied, verify_fn};
/// use http::request::Parts;
///
/// #[derive(Clone)]
/// struct Tenant(String);
///
/// let layer = AuthLayer::new(verify_fn(|parts: &Parts| {
///     let key = parts.headers.get("x-api-key").and_then(|key| key.to_str().ok());
///     std::future::ready(match key.and_then(|key| key.strip_prefix("acme-")) {
///         Some(tenant) => Ok(Tenant(tenant.to_owned())),
///         None => Err(if key.is_some() { Denied::Invalid } else { Denied::Missing }),
///     })
/// }));
/// # let _ = layer;
/// ```
pub const fn verify_fn<F, P, Fut>(f: F) -> VerifyFn<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<P, Denied>>,
{
    VerifyFn(f)
}

/// The verifier that [`verify_fn`] returns.
#[derive(Clone, Copy)]
pub struct VerifyFn<F>(F);

impl<F, P, Fut> Verify for VerifyFn<F>
where
    F: Fn(&Parts) -> Fut,
    Fut: Future<Output = Result<P, Denied>>,
    P: Clone + Send + Sync + 'static,
{
    type Principal = P;
    type Future = Fut;

    fn verify(&self, parts: &Parts) -> Self::Future {
        (self.0)(parts)
    }
}

impl<F> fmt::Debug for VerifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyFn").field(&std::any::type_name::<F>()).finish()
    }
}

/// Accepts every request, with the principal `anonymous`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disabled;

impl Verify for Disabled {
    type Principal = Principal;
    type Future = Ready<Result<Principal, Denied>>;

    fn verify(&self, _parts: &Parts) -> Self::Future {
        static ANONYMOUS: LazyLock<Principal> = LazyLock::new(|| Principal::new("anonymous"));
        ready(Ok(ANONYMOUS.clone()))
    }
}
