//! Bearer authentication over any service.
//!
//! [`AuthLayer`] calls a [`Verify`], which checks the credential of a request. If it is valid, the inner service
//! receives the request with the caller's [`Principal`] in the extensions. Otherwise the layer answers the request,
//! and the inner service never sees it.
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
//! The verifier returns a [`Denied`], and the layer makes the response from it. Every body is
//! `{"detail":"<one sentence>"}`, as `application/json`; the answer to a `HEAD` request has only the headers.
//!
//! | [`Denied`] | status | header |
//! |---|---|---|
//! | `Missing` | 401 | `WWW-Authenticate: Bearer` |
//! | `Invalid` | 401 | `WWW-Authenticate: Bearer error="invalid_token"` |
//! | `Forbidden` | 403 | |
//! | `Unavailable` | 503 | `Retry-After: 1` |
//!
//! [`AuthLayer::render`] makes other responses: [`Problems`](crate::reply::Problems) are problem details (RFC 9457).
//! [`AuthLayer::resource_metadata`] adds the URL of the resource's metadata (RFC 9728) to `WWW-Authenticate`.
//! [`AuthLayer::optional`] passes requests without a credential on.
//!
//! # Which verifier
//!
//! [`StaticTokens`] for a fixed set of tokens, `Jwt` (feature `jwt`) for tokens of an identity provider,
//! [`verify_fn`] for a closure, your own [`Verify`] for anything with state, [`AnyOf`] for several verifiers,
//! [`Disabled`] to accept every request. [`BoxVerify`] holds a verifier that the host chooses at run time. All of them
//! read the token from `Authorization: Bearer …`, with [`AuthLayer::token_cookie`] and [`AuthLayer::token_query`] also from
//! a cookie or the query.
//!
//! # What a principal may do
//!
//! The principal is whatever type the verifier returns. Ours return a [`Principal`]: it has a name, [`Scopes`] and possibly an expiry time and a [`Revocation`]. The layer does not check
//! scopes; the inner service does. The layer in `expiry` (feature `expiry`) ends a response when the credential expires or
//! is revoked.
//!
//! The layer exempts no path: put it only around services that need it. Put a CORS layer outside of it, because
//! preflight requests carry no credentials.
//!
//! The inner service also receives the `Authorization` header, marked
//! [sensitive](http::HeaderValue::set_sensitive) so that it is not logged.

mod answers;
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
mod revocation;
mod scopes;
mod service;
mod sources;
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
    revocation::{Revocation, Revoked},
    scopes::Scopes,
    service::Auth,
    static_tokens::{StaticTokens, TokenError},
    verify::{Disabled, Verify, VerifyFn, verify_fn},
};
pub use crate::reply::ResponseBody;
