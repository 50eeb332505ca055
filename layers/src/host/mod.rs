//! A `Host` allow-list, against DNS rebinding.
//!
//! A server on loopback trusts that only this machine reaches it. A page in a browser on this machine can
//! break that trust by pointing its own name at 127.0.0.1; the name is still in the request's `Host`. This layer
//! answers 403, `{"detail": "…"}`, unless the request's target and its `Host` headers have only allowed names.
//! Ports are ignored.
//!
//! ```
//! use agent_webkit_layers::host::AllowHostLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut service = ServiceBuilder::new()
//!     .layer(AllowHostLayer::loopback().allow("agents.example.com"))
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//!
//! let here = Request::get("/").header("host", "localhost:8000").body(())?;
//! assert_eq!(service.ready().await?.call(here).await?.status(), StatusCode::OK);
//! let rebound = Request::get("/").header("host", "attacker.example").body(())?;
//! assert_eq!(service.ready().await?.call(rebound).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod names;
mod service;

pub use self::{future::ResponseFuture, layer::AllowHostLayer, service::AllowHost};
pub use crate::reply::ResponseBody;
