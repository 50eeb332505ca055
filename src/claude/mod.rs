//! x
mod asks;
mod backend;
mod bridge;
mod codec;
mod decode;
mod encode;
mod environment;
mod error;
mod mark;
mod process;
mod stream;
mod supervise;
mod transcript;
mod watcher;
mod wire;

pub use backend::{Claude, Grace, StartFuture};
pub use codec::{DEFAULT_LINE_LIMIT, Framed, Framer, encode};
pub use error::StartError;
