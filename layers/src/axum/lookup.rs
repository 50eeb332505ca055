use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{StatusCode, request::Parts};

use crate::{lookup::Resolved, reply::Refusal};

impl<T, S> FromRequestParts<S> for Resolved<T>
where
    T: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let none = || Refusal::new(StatusCode::NOT_FOUND, "there is no id in this request");
        parts.extensions.get::<Self>().cloned().ok_or_else(none)
    }
}

impl<T, S> OptionalFromRequestParts<S> for Resolved<T>
where
    T: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
