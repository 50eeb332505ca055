//! Answers that reach a client which is still sending.
//!
//! A service may answer before it has read the request's body: 401 to a stranger, 413 to an upload that is too long. A
//! server then closes the connection (HTTP/1.1) or resets the stream (HTTP/2) with data of the client on its way, and many
//! clients report the failed write and never see the answer. [`DrainLayer`] keeps a body that the inner service drops
//! unread. It reads the rest, within bounds, before it passes the response on.
//!
//! ```
//! use agent_webkit_layers::drain::DrainLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut service = ServiceBuilder::new().layer(DrainLayer::new()).service(service_fn(|_| async {
//!     let refusal = Response::builder().status(StatusCode::UNAUTHORIZED);
//!     Ok::<_, std::convert::Infallible>(refusal.body(Full::<Bytes>::default()).unwrap())
//! }));
//!
//! // Over a connection, the response would now come after the last byte of the upload.
//! let upload = Request::post("/").body(Full::<Bytes>::from("a long upload"))?;
//! assert_eq!(service.ready().await?.call(upload).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
//! # What is read
//!
//! - By default at most 64 MiB, for at most 10 s: [`DrainLayer::max_bytes`], [`DrainLayer::max_time`]. If the rest is
//!   longer, the response is passed on nevertheless, and the server closes the connection. A rest that is announced to be
//!   longer is not read at all.
//! - Nothing, if the client waits for `100 Continue` and the inner service has not asked for it by reading the body: such a
//!   client has not sent the body, and will not. Nothing either after a 408, because the client has stopped sending.
//! - Nothing, if the inner service still holds the body when its response is ready, as an echo does.
//!
//! A request without a body passes through as it is. Put the layer outside of every layer that answers by itself; a second
//! one further inside does nothing. It uses tokio's timer, so requests with a body need a tokio runtime.

mod body;
mod bounds;
mod future;
mod layer;
mod service;

pub use self::{body::RequestBody, future::ResponseFuture, layer::DrainLayer, service::Drain};
