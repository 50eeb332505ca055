use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{
    auth::{Denied, Principal},
    reply::Refusal,
};

/// The caller of a request, for verifiers whose principals have a type of their own.
///
/// ```
/// use agent_webkit_layers::axum::Caller;
///
/// #[derive(Clone)]
/// struct Tenant {
///     name: String,
/// }
///
/// async fn who(Caller(tenant): Caller<Tenant>) -> String {
///     tenant.name
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::get(who));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller<P>(pub P);

impl<P, S> FromRequestParts<S> for Caller<P>
where
    P: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<P>().cloned().map(Self).ok_or_else(|| Denied::Missing.into())
    }
}

impl<P, S> OptionalFromRequestParts<S> for Caller<P>
where
    P: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<P>().cloned().map(Self))
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Denied::Missing.into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
