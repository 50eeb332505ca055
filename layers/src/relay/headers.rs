//! The request and response headers that change on the way.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{self, CONNECTION, HOST},
    uri::{InvalidUri, PathAndQuery},
};

/// Counts the hosts that have forwarded a request.
pub(super) const HOPS: HeaderName = HeaderName::from_static("x-relay-hops");

/// Headers that are for one connection, in any message.
const OF_A_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

/// Removes the headers that are for one connection.
pub(super) fn cut(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_A_CONNECTION).chain([&header::UPGRADE]) {
        headers.remove(name);
    }
}

/// The number of hosts that have forwarded the request. A count that cannot be read is the highest there is.
pub(super) fn hops(headers: &HeaderMap) -> u32 {
    let count = |value: &HeaderValue| value.to_str().ok()?.parse::<u32>().ok();
    headers.get_all(HOPS).iter().map(|value| count(value).unwrap_or(u32::MAX)).max().unwrap_or(0)
}

/// Notes that one more host has forwarded the request, to the host with this URI.
pub(super) fn address(headers: &mut HeaderMap, hops: u32, target: &Uri) {
    headers.insert(HOPS, hops.into());
    let host = target.authority().map(|authority| {
        // A user name would be a credential.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        HeaderValue::from_str(host)
    });
    if let Some(Ok(host)) = host {
        headers.insert(HOST, host);
    }
}

/// The request's URI at the target.
pub(super) fn at(target: &Uri, uri: &Uri) -> Result<Uri, InvalidUri> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let before = target.path().trim_end_matches('/');
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(format!("{before}{path}").parse()?);
    Ok(Uri::from_parts(parts).unwrap_or_else(|_| target.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_are_cut() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("authorization", "Bearer t"),
            ("last-event-id", "7"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        cut(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "last-event-id"]);
    }

    #[test]
    fn a_count_that_cannot_be_read_is_too_high() {
        let hops = |values: &[&'static str]| {
            hops(&values.iter().map(|value| (HOPS, HeaderValue::from_static(value))).collect())
        };
        assert_eq!((hops(&[]), hops(&["1"]), hops(&["1", "3"])), (0, 1, 3));
        assert_eq!((hops(&["x"]), hops(&["-1"])), (u32::MAX, u32::MAX));
    }

    #[test]
    fn the_target_gets_the_same_path_below_its_own() {
        let at = |target, uri| at(&Uri::from_static(target), &Uri::from_static(uri)).unwrap().to_string();
        assert_eq!(at("http://b:1", "/x/%20?q=1"), "http://b:1/x/%20?q=1");
        assert_eq!(at("https://b/api/", "http://a/x"), "https://b/api/x");
        assert_eq!(at("http://b", "/"), "http://b/");
    }
}
