//! Forwards a request to the host that can answer it.
//!
//! In a service of several hosts, each may hold a part of what there is: a session, a room, a shard. [`RelayLayer`] asks
//! a function where a request belongs. Requests that belong here pass to the inner service; for the others the layer
//! sends the request to the other host through an HTTP client, a tower service of your choice, and passes its response
//! on. Bodies stream both ways. Behind [lookup](crate::lookup) the function reads the place from the request's
//! extensions.
//!
//! ```
//! use agent_webkit_layers::relay::RelayLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, Uri, request::Parts};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Rooms with odd numbers are on another host.
//! let place = |parts: &Parts| {
//!     let room: u32 = parts.uri.path().strip_prefix("/rooms/")?.parse().ok()?;
//!     (room % 2 == 1).then(|| Uri::from_static("http://10.0.0.2:8000"))
//! };
//! // In a program this is an HTTP client, such as that of hyper-util.
//! let client = service_fn(|request: Request<Full<Bytes>>| async move {
//!     Ok::<_, std::io::Error>(Response::new(Full::<Bytes>::from(format!("forwarded to {}", request.uri()))))
//! });
//! let mut service = ServiceBuilder::new()
//!     .layer(RelayLayer::new(client, place))
//!     .service(service_fn(|_: Request<Full<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("here")))
//!     }));
//!
//! for (path, expected) in [("/rooms/2", "here"), ("/rooms/3?x=1", "forwarded to http://10.0.0.2:8000/rooms/3?x=1")] {
//!     let response = service.ready().await?.call(Request::get(path).body(Full::default())?).await?;
//!     assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What changes on the way
//!
//! - The target gets the request with its method, path, query, headers and body. `Host` names the target. A path of the
//!   target's URI stands before the path of the request.
//! - Headers that are for one connection (`Connection` and those that it names, `Keep-Alive`, `TE`, `Trailer`,
//!   `Transfer-Encoding`, `Upgrade`, `Proxy-…`) are removed in both directions. So a connection cannot be upgraded.
//! - The header `x-relay-hops` counts the hosts that have forwarded the request. Where a request may not be forwarded
//!   again the answer is 508: hosts that take each other for the right one would forward it for ever. By default a request
//!   is forwarded once.
//!
//! If the client fails, the answer is 503 with `Retry-After: 1`. Errors of either body end the stream that they occur in.

mod body;
mod forward;
mod future;
mod headers;
mod layer;
mod service;

pub use self::{body::RelayedBody, future::ResponseFuture, layer::RelayLayer, service::Relay};
