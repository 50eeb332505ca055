//! Resumable event streams.

mod log;

pub use log::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
    Tail, TailError,
};
