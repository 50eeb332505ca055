//! tower layers for bearer auth, id lookup and resumable event streams.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "lookup")]
pub mod lookup;
#[cfg(feature = "resume")]
pub mod resume;
