//! Tells the operator of pages that a browser kept from using the server.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN},
};

/// Number of origins that are named. A page can send any number.
const MOST: usize = 20;

/// Names each origin once in the log.
#[derive(Clone, Debug)]
pub(crate) struct ForeignPages {
    allowed: Arc<[HeaderValue]>,
    named: Arc<Mutex<BTreeSet<String>>>,
}

impl ForeignPages {
    pub(crate) fn new(allowed: impl IntoIterator<Item = HeaderValue>) -> Self {
        Self { allowed: allowed.into_iter().collect(), named: Arc::default() }
    }

    /// Looks at a request and passes it on.
    pub(crate) fn notice<B>(&self, request: Request<B>) -> Request<B> {
        if let Some(origin) = self.refused(request.method(), request.headers()) {
            tracing::warn!(
                "a browser kept a page of {origin} from using this server; --cors-origin {origin} allows it"
            );
        }
        request
    }

    /// The origin of this request, if the browser will refuse it and it was not named before.
    fn refused(&self, method: &Method, headers: &HeaderMap) -> Option<String> {
        // With this a browser asks whether a page may send a request. Without the permission it sends none.
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let origin = headers.get(ORIGIN).filter(|origin| !self.allowed.contains(origin))?.to_str().ok()?;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok())?;
        let (scheme, authority) = origin.split_once("://")?;
        let is_plain =
            authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
        if authority == host || !["http", "https"].contains(&scheme) || !is_plain {
            return None;
        }
        let mut named = self.named.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (named.len() < MOST && named.insert(origin.to_owned())).then(|| origin.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_is_refused_is_named_once() {
        let pages = ForeignPages::new([HeaderValue::from_static("https://app.example.com")]);
        let refused = |method: Method, origin: &str| {
            let pairs =
                [("origin", origin), ("host", "127.0.0.1:8000"), ("access-control-request-method", "POST")];
            let headers = pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            pages.refused(&method, &headers.into_iter().collect())
        };
        assert_eq!(
            refused(Method::OPTIONS, "http://localhost:5173").as_deref(),
            Some("http://localhost:5173")
        );
        assert_eq!(refused(Method::OPTIONS, "http://localhost:5173"), None, "once");
        for origin in ["https://app.example.com", "http://127.0.0.1:8000", "null", "file://", "http://a b"] {
            assert_eq!(refused(Method::OPTIONS, origin), None, "{origin}");
        }
        assert_eq!(refused(Method::GET, "http://other"), None, "it has no preflight");
        let many = (0..100).filter(|n| refused(Method::OPTIONS, &format!("http://{n}")).is_some());
        assert_eq!(many.count(), MOST - 1);
    }
}
