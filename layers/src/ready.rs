//! Calls of a service from a future.

use std::mem;

/// Takes the service that was polled ready, and leaves a clone in its place, which has to be polled again.
pub(crate) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}
