//! tower layers for bearer auth, id lookup and resumable event streams.
#![cfg_attr(all(feature = "auth", feature = "lookup", feature = "relay", feature = "resume"), doc = "")]
#![cfg_attr(all(feature = "auth", feature = "lookup", feature = "relay", feature = "resume"), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "builder")]
pub mod builder;
#[cfg(feature = "drain")]
pub mod drain;
#[cfg(any(feature = "auth", feature = "lookup"))]
mod gate;
#[cfg(feature = "host")]
pub mod host;
mod json;
#[cfg(feature = "lookup")]
pub mod lookup;
#[cfg(feature = "rmcp")]
pub mod mcp;
#[cfg(any(feature = "auth", feature = "lookup", feature = "resume"))]
mod query;
#[cfg(any(feature = "auth", feature = "lookup", feature = "relay", feature = "resume"))]
mod ready;
#[cfg(feature = "relay")]
pub mod relay;
pub mod reply;
#[cfg(feature = "resume")]
pub mod resume;
#[cfg(any(feature = "auth", feature = "drain", feature = "lookup", feature = "resume", feature = "ticket"))]
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "ticket")]
pub mod ticket;
