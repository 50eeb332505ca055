//! Where requests are forwarded to, and how often.

use std::fmt;

use http::{StatusCode, Uri, Version, request::Parts};

use super::headers;
use crate::reply::Refusal;

#[derive(Clone, Copy)]
pub(super) struct Forward<C, F> {
    pub(super) client: C,
    pub(super) place: F,
    pub(super) most_hops: u32,
}

impl<C, F> Forward<C, F> {
    /// The request's head as the target gets it.
    pub(super) fn head(&self, mut parts: Parts, target: &Uri) -> Result<Parts, Refusal> {
        let hops = headers::hops(&parts.headers);
        if hops >= self.most_hops {
            return Err(Refusal::new(
                StatusCode::LOOP_DETECTED,
                "the hosts do not agree on which of them answers this request",
            ));
        }
        parts.uri = headers::at(target, &parts.uri)
            .map_err(|_| Refusal::new(StatusCode::URI_TOO_LONG, "the path is too long to be forwarded"))?;
        // The connection to the target has a version of its own.
        parts.version = Version::default();
        headers::cut(&mut parts.headers);
        headers::address(&mut parts.headers, hops + 1, target);
        Ok(parts)
    }
}

impl<C, F> fmt::Debug for Forward<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("most_hops", &self.most_hops).finish_non_exhaustive()
    }
}
