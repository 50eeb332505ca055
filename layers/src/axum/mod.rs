//! What the layers find in a request, as arguments of axum's handlers.
//!
//! | argument | from | if there is none |
//! |---|---|---|
//! | [`Principal`](crate::auth::Principal), [`Caller<P>`](Caller) for other types | `auth` | 401 |
//! | [`Resolved<T>`](crate::lookup::Resolved) | `lookup` | 404 |
//! | [`LastEventId`] | the request, for `resume` | 400 if it is not a number |
//!
//! In an `Option` the first two are `None` in place of the refusal, behind [`AuthLayer::optional`] for example. A
//! [`Refusal`] can be returned from handlers.
//!
//! ```
//! use std::future::ready;
//!
//! use agent_webkit_layers::{
//!     auth::{AuthLayer, Principal, StaticTokens, TokenError},
//!     lookup::{LookupLayer, Resolved, ids, resolve_fn},
//! };
//! use axum::{Router, routing::get};
//! use http::request::Parts;
//!
//! async fn room(caller: Principal, Resolved(room): Resolved<&'static str>) -> String {
//!     format!("{} is in {room}", caller.name)
//! }
//!
//! # fn app() -> Result<Router, TokenError> {
//! let rooms = resolve_fn(|id: &str, _: &Parts| ready(Ok((id == "1").then_some("the library"))));
//! let app = Router::new()
//!     .route("/rooms/{id}", get(room))
//!     .layer(LookupLayer::new(ids::path("/rooms/{id}"), rooms))
//!     .layer(AuthLayer::new(StaticTokens::new(["s3cret"])?));
//! # Ok(app)
//! # }
//! # let _ = app();
//! ```
//!
//! [`AuthLayer::optional`]: crate::auth::AuthLayer::optional

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "lookup")]
mod lookup;
#[cfg(feature = "resume")]
mod resume;

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

#[cfg(feature = "auth")]
pub use self::auth::Caller;
#[cfg(feature = "resume")]
pub use self::resume::LastEventId;
use crate::reply::Refusal;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Self::into_response::<Body>(self, false)
    }
}
