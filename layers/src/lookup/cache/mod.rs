//! Keeps for a while what a slow resolver found.
//!
//! [`CacheLayer`] goes around a [`Resolve`](super::Resolve), as other layers go around a service. Requests that ask for the
//! same thing at the same time share one call of the resolver, which goes on for as long as one of them waits.
//!
//! ```
//! use std::time::Duration;
//!
//! use agent_webkit_layers::lookup::{LookupLayer, Unavailable, cache::CacheLayer, ids, resolve_fn};
//! use http::request::Parts;
//! use tower::ServiceBuilder;
//! # async fn ask_the_database(host: String) -> Result<Option<u64>, std::io::Error> { Ok(host.parse().ok()) }
//!
//! let tenants = resolve_fn(|name: &str, _: &Parts| {
//!     let name = name.to_owned();
//!     async move { ask_the_database(name).await.map_err(|_| Unavailable::default()) }
//! });
//! let cached = ServiceBuilder::new()
//!     .layer(CacheLayer::by_id(Duration::from_secs(60)).unknown_for(Duration::from_secs(5)))
//!     .service(tenants);
//! let layer = LookupLayer::new(ids::host("example.com"), cached);
//! # let _ = layer;
//! ```

mod cached;
mod entries;
mod flight;
mod layer;
mod limits;

pub use self::{
    cached::{Cached, IdKey, ResolveFuture},
    layer::CacheLayer,
};
