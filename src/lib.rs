//! The agent-webkit protocol as tower services.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod proto;

#[cfg(feature = "service")]
pub mod agent;
#[cfg(feature = "service")]
pub use agent_webkit_layers as layers;

#[cfg(feature = "claude")]
pub mod claude;
#[cfg(feature = "practice")]
pub mod practice;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "service")]
pub mod stack;
#[cfg(feature = "service")]
pub use stack::Stack;
