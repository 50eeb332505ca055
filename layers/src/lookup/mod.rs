//! An id in the request becomes a value in its extensions, or a 404.
//!
//! [`LookupLayer`] extracts an id from a request and calls a [`Resolve`] with it. The inner service finds the value
//! as [`Resolved<T>`](Resolved) in the extensions. If the id does not exist, the layer answers the request itself. A
//! request without an id passes through unchanged.
//!
//! ```
//! use agent_webkit_layers::lookup::{LookupLayer, Resolved, resolve_fn};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, request::Parts};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     let Some(Resolved(name)) = request.extensions().get::<Resolved<&str>>() else {
//!         return Ok(Response::new(Full::from("hello, whoever you are")));
//!     };
//!     Ok(Response::new(Full::from(format!("hello {name}"))))
//! }
//!
//! let id_in_path = |parts: &Parts| parts.uri.path().strip_prefix("/people/").map(str::to_owned);
//! let people = resolve_fn(|id: &str, _: &Parts| {
//!     std::future::ready(Ok(match id {
//!         "1" => Some("Ada"),
//!         _ => None,
//!     }))
//! });
//! let mut service =
//!     ServiceBuilder::new().layer(LookupLayer::new(id_in_path, people)).service(service_fn(greet));
//!
//! let ada = Request::get("/people/1").body(())?;
//! assert_eq!(service.ready().await?.call(ada).await?.status(), StatusCode::OK);
//! let nobody = Request::get("/people/2").body(())?;
//! assert_eq!(service.ready().await?.call(nobody).await?.status(), StatusCode::NOT_FOUND);
//! let front_page = Request::get("/").body(())?;
//! assert_eq!(service.ready().await?.call(front_page).await?.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! # Answers
//!
//! Every body is `{"detail":"<one sentence>"}`, as `application/json`; the answer to a `HEAD` request has
//! only the headers. An unknown id gets a 404. If the resolver returns [`Unavailable`], the answer is a 503 with
//! `Retry-After`, by default `1`. [`LookupLayer::render`] makes other responses of both.
//!
//! Put the layer inside of the layer that authenticates: the resolver receives the head of the request with its
//! extensions, so it can answer for a resource of another owner as for an unknown id.
//!
//! [`ids`] extracts ids from the path, the query, a header or the host name. [`cache`] keeps what a slow resolver found.

mod answers;
pub mod cache;
mod future;
pub mod ids;
mod layer;
mod resolve;
mod service;

pub use self::{
    future::ResponseFuture,
    layer::LookupLayer,
    resolve::{Resolve, ResolveFn, Resolved, Unavailable, resolve_fn},
    service::Lookup,
};
pub use crate::reply::ResponseBody;
