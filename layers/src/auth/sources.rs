use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};

use crate::query;

/// Where a token may be besides the `Authorization` header.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) query: Option<Arc<str>>,
    pub(super) cookie: Option<Arc<str>>,
}

impl Sources {
    pub(super) const NONE: Self = Self { query: None, cookie: None };

    /// Calls `verify` with a token from another place as the `Authorization` header, so that verifiers look in one place.
    /// The request is the same afterwards.
    pub(super) fn lend<T>(&self, parts: &mut Parts, verify: impl FnOnce(&Parts) -> T) -> T {
        let Some(authorization) = self.find(parts) else { return verify(parts) };
        parts.headers.insert(AUTHORIZATION, authorization);
        let decision = verify(parts);
        parts.headers.remove(AUTHORIZATION);
        decision
    }

    fn find(&self, parts: &Parts) -> Option<HeaderValue> {
        if parts.headers.contains_key(AUTHORIZATION) {
            return None;
        }
        let in_query = self.query.iter().flat_map(|name| query::values(parts.uri.query(), name));
        let mut tokens: Vec<_> = in_query.filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() {
            tokens.extend(self.cookie.iter().flat_map(|name| cookies(&parts.headers, name)));
        }
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", tokens.first()?.as_slice()].concat());
        if tokens.len() > 1 {
            // Which one counts? Another service may choose differently, so the request has no valid token.
            value = Ok(HeaderValue::from_static("Bearer"));
        }
        let mut value = value.unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        Some(value)
    }
}

/// The values of the cookies with this name that are not empty.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    pairs.filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(quoted.unwrap_or(value).to_vec()).filter(|value| !value.is_empty())
    })
}
