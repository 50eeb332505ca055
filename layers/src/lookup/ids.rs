//! Extracts ids from requests by name, for [`LookupLayer::new`](super::LookupLayer::new).
//!
//! Each function returns a closure from the head of a request to the id. If the request does not have it, or has an
//! empty one, the closure returns `None`. Escapes (`%2F`) in a path or a query are decoded; an id that is no UTF-8 is
//! read with replacement characters.
//!
//! ```
//! use agent_webkit_layers::lookup::ids;
//!
//! let (request, ()) = http::Request::get("https://acme.example.com/rooms/library/doors?floor=2")
//!     .header("x-tenant", "acme")
//!     .body(())?
//!     .into_parts();
//! assert_eq!(ids::path("/rooms/{id}/*")(&request).as_deref(), Some("library"));
//! assert_eq!(ids::query("floor")(&request).as_deref(), Some("2"));
//! assert_eq!(ids::header("x-tenant")(&request).as_deref(), Some("acme"));
//! assert_eq!(ids::host("example.com")(&request).as_deref(), Some("acme"));
//! # Ok::<(), http::Error>(())
//! ```

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header::HOST, request::Parts, uri::Authority};

use crate::query;

/// A segment of the path.
///
/// In `pattern` a segment in braces, such as `{id}`, is the id; a last segment `*` stands for any further ones, even
/// none. Every other segment must be the same in the request's path.
///
/// # Panics
/// Panics if `pattern` has not exactly one segment in braces.
pub fn path(pattern: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + 'static {
    let segments: Arc<[String]> = pattern.split('/').map(str::to_owned).collect();
    let named = segments.iter().filter(|segment| is_name(segment)).count();
    assert!(named == 1, "one segment of {pattern:?} must be in braces, such as {{id}}");
    move |request| {
        let mut given = request.uri.path().split('/');
        let mut id = None;
        for (at, segment) in segments.iter().enumerate() {
            if segment == "*" && at + 1 == segments.len() {
                return id;
            }
            let given = given.next()?;
            if is_name(segment) {
                id = text(&query::percent_decode(given));
            } else if segment != given {
                return None;
            }
        }
        id.filter(|_| given.next().is_none())
    }
}

fn is_name(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

/// The first value of a query parameter.
pub fn query(parameter: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + 'static {
    let parameter: Arc<str> = parameter.into();
    move |request| query::values(request.uri.query(), &parameter).next().and_then(|id| text(&id))
}

/// The value of a header. A request with several of them has no id.
///
/// # Panics
/// Panics if `name` is no name of a header.
pub fn header(name: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + 'static {
    let name = HeaderName::try_from(name).expect("the name of a header");
    move |request| {
        let mut values = request.headers.get_all(&name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        text(value.as_bytes())
    }
}

/// The label of the host name in front of `domain`, in lower case: `acme` in `acme.example.com`, whatever the port.
///
/// The host name is that of the URL (HTTP/2) or else of the `Host` header.
pub fn host(domain: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + 'static {
    let suffix: Arc<str> = format!(".{}", domain.trim_start_matches('.').to_ascii_lowercase()).into();
    move |request| {
        let header = request.headers.get(HOST).map(HeaderValue::as_bytes);
        let header = header.and_then(|value| Authority::try_from(value).ok());
        let host = request.uri.authority().or(header.as_ref())?.host().to_ascii_lowercase();
        let label = host.strip_suffix(&*suffix)?;
        Some(label).filter(|label| !label.is_empty() && !label.contains('.')).map(str::to_owned)
    }
}

fn text(id: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(id).into_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let builder =
            headers.iter().fold(Request::get(uri), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_path_matches_whole_segments() {
        let of = |pattern: &str, uri: &str| path(pattern)(&request(uri, &[]));
        assert_eq!(of("/rooms/{id}", "/rooms/1?a").as_deref(), Some("1"));
        assert_eq!(of("/rooms/{id}", "/rooms/a%2Fb%20c").as_deref(), Some("a/b c"));
        assert_eq!(of("/{tenant}/rooms", "/acme/rooms").as_deref(), Some("acme"));
        for other in ["/rooms", "/rooms/", "/rooms/1/", "/rooms/1/doors", "/room/1", "/", "/x/rooms/1"] {
            assert_eq!(of("/rooms/{id}", other), None, "{other}");
        }
        for (uri, id) in [("/rooms/1", "1"), ("/rooms/1/", "1"), ("/rooms/1/doors/2", "1")] {
            assert_eq!(of("/rooms/{id}/*", uri).as_deref(), Some(id), "{uri}");
        }
        assert_eq!(of("/rooms/{id}/*", "/rooms"), None);
    }

    #[test]
    #[should_panic = "must be in braces"]
    fn a_pattern_without_a_name_is_refused() {
        drop(path("/rooms/:id"));
    }

    #[test]
    fn two_headers_are_no_id() {
        let of = |headers: &[(&str, &str)]| header("x-tenant")(&request("/", headers));
        assert_eq!(of(&[("x-tenant", "acme")]).as_deref(), Some("acme"));
        assert_eq!(of(&[("x-tenant", "acme"), ("X-Tenant", "other")]), None);
        assert_eq!(of(&[("x-tenant", "")]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_host_is_one_label_in_front_of_the_domain() {
        let of = |uri: &str, headers: &[(&str, &str)]| host("Example.com")(&request(uri, headers));
        assert_eq!(of("/", &[("host", "ACME.example.com:8080")]).as_deref(), Some("acme"));
        assert_eq!(of("http://acme.example.com/", &[("host", "other.example.com")]).as_deref(), Some("acme"));
        for other in
            ["example.com", ".example.com", "a.b.example.com", "acmeexample.com", "acme.example.com.evil"]
        {
            assert_eq!(of("/", &[("host", other)]), None, "{other}");
        }
        assert_eq!(of("/", &[]), None);
    }
}
