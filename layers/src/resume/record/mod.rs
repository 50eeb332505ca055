//! Records the event streams of an upstream that does not support resuming.

mod config;
mod elsewhere;
mod identify;
mod layer;
mod position;
mod reader;
mod recorder;
mod registry;
mod reserve;
mod service;

use config::RecordConfig;

pub use identify::{Asked, Identify, StreamIds};
pub use layer::{RecordLayer, Recordings};
pub use service::Record;
