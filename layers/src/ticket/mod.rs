//! Short-lived credentials in the URL, for clients that cannot send headers.
//!
//! A browser's `EventSource` cannot send `Authorization`, and a token in the URL would end up in logs and proxies. It
//! uses a *ticket* instead: a random value that is valid for one resource and for a minute. [`Tickets`] issues
//! tickets to callers with another credential, [`TicketLayer`] removes them from the URL, and [`Tickets::verifier`]
//! returns a [`Verify`](crate::auth::Verify) to combine with the verifiers of other credentials.
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
//! // A ticket is valid for the feed of the room that it was issued for.
//! fn feed(request: &Parts) -> Option<String> {
//!     let room = request.uri.path().strip_prefix("/rooms/")?.strip_suffix("/feed")?;
//!     (request.method == "GET").then(|| room.to_owned())
//! }
//!
//! let tickets = Tickets::default();
//! let verifier = AnyOf::new(StaticTokens::new(["s3cret"])?, tickets.verifier(feed));
//! let service = ServiceBuilder::new()
//!     .layer(TicketLayer::new()) // Outside of every layer that logs the URL.
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
//! - A ticket is 256 random bits. A [`TicketStore`] keeps only its SHA-256 digest.
//! - It is bound to the resource and the principal that it was issued for.
//! - It can be used any number of times until it expires, because an `EventSource` that lost its connection reconnects
//!   with the same URL. It never outlives the credential that requested it.
//! - A stream that was opened in time continues after the ticket has expired, until that credential expires or is revoked.
//! - The number of valid tickets is limited, [per principal](Tickets::per_principal) and
//!   [in total](MemoryStore::capacity).

mod boxed;
mod layer;
mod presented;
mod store;
mod tickets;
mod verify;

pub use self::{
    boxed::BoxTicketStore,
    layer::{TakeTicket, TicketLayer},
    presented::Presented,
    store::{Digest, Grant, MemoryStore, StoreError, TicketStore},
    tickets::{IssueError, Issued, Tickets},
    verify::{TicketVerifier, VerifyFuture},
};
