//! Short-lived credentials in the URL, for clients that cannot send headers.
//!
//! A browser's `EventSource` sends no `Authorization`. Instead of a token in the URL, where logs and proxies
//! see it, it is given a *ticket*: random, good for one resource and for a minute, and only for what the host
//! lets it open. [`Tickets`] issues them to whoever has been let in by other means, [`TicketLayer`] takes them
//! out of the URL, and [`Tickets::verifier`] is a [`Verify`](crate::auth::Verify) to put beside the others.
//!
//! ```
//! use agent_webkit_layers::{
//!     auth::{AnyOf, AuthLayer, Principal, StaticTokens},
//!     ticket::{TicketLayer, Tickets},
//! };
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, request::Parts};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What a ticket may open: the feed of the room that it was issued for.
//! fn feed(request: &Parts) -> Option<String> {
//!     let room = request.uri.path().strip_prefix("/rooms/")?.strip_suffix("/feed")?;
//!     (request.method == "GET").then(|| room.to_owned())
//! }
//!
//! let tickets = Tickets::default();
//! let verifier = AnyOf::new(StaticTokens::new(["s3cret"])?, tickets.verifier(feed));
//! let service = ServiceBuilder::new()
//!     .layer(TicketLayer::new()) // Outside of whatever logs the URL.
//!     .layer(AuthLayer::new(verifier))
//!     .service(service_fn(async |request: Request<()>| {
//!         assert_eq!(request.uri(), "/rooms/7/feed?from=3");
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//!
//! let issued = tickets.issue("7", Principal::new("ada")).await?;
//! let get = |path: String| Request::get(path).body(());
//! let room_7 = get(format!("/rooms/7/feed?ticket={}&from=3", issued.ticket))?;
//! assert_eq!(service.clone().oneshot(room_7).await?.status(), StatusCode::OK);
//! let room_8 = get(format!("/rooms/8/feed?ticket={}", issued.ticket))?;
//! assert_eq!(service.oneshot(room_8).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
//! # What a ticket is
//!
//! - 256 random bits. Only its SHA-256 digest is kept, in a [`TicketStore`].
//! - Bound to the resource and to the principal that it was issued for.
//! - Good until it expires, as often as one likes: an `EventSource` that lost its connection comes back with
//!   the same URL. It never outlives the credential it was asked for with.
//! - What was opened with it in time may outlive it, up to the end of that credential.
//! - Limited in number, [per principal](Tickets::per_principal) and [in total](MemoryStore::capacity).

mod layer;
mod presented;
mod store;
mod tickets;
mod verify;

pub use self::{
    layer::{TakeTicket, TicketLayer},
    presented::Presented,
    store::{Digest, Grant, MemoryStore, StoreError, TicketStore},
    tickets::{IssueError, Issued, Tickets},
    verify::{TicketVerifier, VerifyFuture},
};
