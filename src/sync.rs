//! Locks that a panic does not close: the server's side of `layers::sync`.

pub(crate) use crate::layers::sync::lock;
