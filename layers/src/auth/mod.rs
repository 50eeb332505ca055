//! Bearer authentication over any service.
//!
//! [`AuthLayer`] asks a [`Verify`] who sends a request. An admitted request reaches the inner service
//! with its [`Principal`] in the extensions; any other is answered here and the inner service never
//! sees it.
//!
//! ```
//! use agent_webkit_layers::auth::{AuthLayer, Principal, StaticTokens};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     let principal = request.extensions().get::<Principal>().expect("the layer put it there");
//!     Ok(Response::new(Full::from(format!("hello {}", principal.name))))
//! }
//!
//! let tokens = StaticTokens::default().with("ada", "s3cret")?;
//! let mut service = ServiceBuilder::new().layer(AuthLayer::new(tokens)).service(service_fn(greet));
//!
//! let request = Request::get("/").header("authorization", "Bearer s3cret").body(())?;
//! assert_eq!(service.ready().await?.call(request).await?.status(), StatusCode::OK);
//!
//! let stranger = Request::get("/").body(())?;
//! let answer = service.ready().await?.call(stranger).await?;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(answer.headers()["www-authenticate"], "Bearer");
//! # Ok(())
//! # }
//! ```
//!
//! # Answers
//!
//! The verifier decides, the layer renders. Every body is `{"detail":"<one sentence>"}`, as
//! `application/json`; the answer to a `HEAD` request has the headers alone.
//!
//! | [`Denied`] | status | header |
//! |---|---|---|
//! | `Missing` | 401 | `WWW-Authenticate: Bearer` |
//! | `Invalid` | 401 | `WWW-Authenticate: Bearer error="invalid_token"` |
//! | `Forbidden` | 403 | |
//! | `Unavailable` | 503 | `Retry-After: 1` |
//!
//! # Which verifier
//!
//! [`StaticTokens`] for tokens that the operator knows, `Jwt` (feature `jwt`) for those of an identity
//! provider, [`verify_fn`] for a closure, an own [`Verify`] for anything with state, [`AnyOf`] for several of
//! them, [`Disabled`] to let everyone in. A host that chooses at run time takes a [`BoxVerify`].
//!
//! # What a principal may do
//!
//! A [`Principal`] has a name, [`Scopes`] and perhaps an end. The layer lets it in; what the scopes mean is
//! the inner service's to say. A response that outlives the credential is cut by the layer in `expiry`
//! (feature `expiry`).
//!
//! The layer exempts no path: put it only around what needs it, and a CORS layer, whose preflight
//! requests carry no credentials, outside of it.
//!
//! The `Authorization` header is passed on to the inner service, marked
//! [sensitive](http::HeaderValue::set_sensitive) so that it is not logged.

mod any_of;
mod bearer;
mod boxed;
mod denied;
#[cfg(feature = "expiry")]
pub mod expiry;
mod future;
#[cfg(feature = "jwt")]
pub mod jwt;

mod layer;
mod principal;
mod scopes;
mod service;
mod static_tokens;
mod verify;

pub use self::{
    any_of::{AnyOf, AnyOfFuture},
    bearer::bearer,
    boxed::BoxVerify,
    denied::Denied,
    future::ResponseFuture,
    layer::AuthLayer,
    principal::Principal,
    scopes::Scopes,
    service::Auth,
    static_tokens::{StaticTokens, TokenError},
    verify::{Disabled, Verify, VerifyFn, verify_fn},
};
pub use crate::reply::ResponseBody;
