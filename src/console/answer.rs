//! What the console answers to a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use super::files::{self, File};
use crate::layers::reply::Refusal;

/// The page runs its own script, talks to its own origin, and nothing else. Images may be in the page's own data,
/// because tools return them so.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
     font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // The names of files don't change with their content: browsers keep them, and ask each time whether they still hold.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (header::VARY, HeaderValue::from_static("accept, accept-encoding")),
];

/// The scope that the service worker may have, relative to its own path: that of the page, whatever prefix it has.
const WORKER_SCOPE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("service-worker-allowed"), HeaderValue::from_static("../"));

/// What a path names.
enum Resource {
    File(&'static File),
    /// A path below `/console/` without a file.
    Missing,
}

/// Returns the answer to a request for the page or one of its files; `None` for every other request.
pub(super) fn answer<R: From<Bytes>, B>(request: &Request<B>) -> Option<Response<R>> {
    let resource = match request.uri().path() {
        "/" if reads(request.method()) && accepts_html(request.headers()) => Resource::File(files::page()),
        path => files::find(path.strip_prefix("/console/")?).map_or(Resource::Missing, Resource::File),
    };
    let head = request.method() == Method::HEAD;
    let refuse = |status, detail| Refusal::new(status, detail).with_allow("GET, HEAD");
    Some(match resource {
        Resource::File(_) if !reads(request.method()) => {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "the console's files can only be read").into_response(head)
        }
        Resource::File(file) => found(file, request.headers(), head),
        Resource::Missing => {
            Refusal::new(StatusCode::NOT_FOUND, "the console has no such file").into_response(head)
        }
    })
}

fn found<R: From<Bytes>>(file: &File, headers: &HeaderMap, head: bool) -> Response<R> {
    let gzip = file.gzip.filter(|_| accepts_gzip(headers));
    let (whole, etag) = match gzip {
        Some(gzip) => (gzip, &file.gzip_etag),
        None => (file.content, &file.etag),
    };
    let current = headers.get_all(header::IF_NONE_MATCH).iter().any(|tags| matches(tags, etag));
    let content = if head || current { Bytes::new() } else { Bytes::from_static(whole) };
    let mut response = Response::new(content.into());
    let to = response.headers_mut();
    if current {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        to.insert(header::CONTENT_LENGTH, whole.len().into());
        if gzip.is_some() {
            to.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    let to = response.headers_mut();
    to.insert(header::ETAG, etag.clone());
    to.extend(HEADERS);
    to.extend(file.is_worker().then_some(WORKER_SCOPE));
    response
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Browsers name `text/html` when they open a page; programs do not, and get what they got without a console.
fn accepts_html(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}

/// A client that rules gzip out (`gzip;q=0`) gets the plain file, and so does one that says nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)))
    })
}

/// Whether a value of `If-None-Match` has this tag. A proxy that compresses makes tags weak (`W/`).
fn matches(tags: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(tag)) = (tags.to_str(), tag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|given| given == "*" || given.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{
        console::{Console, ConsoleLayer},
        layers::reply::ResponseBody,
    };

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().method(method).uri(path);
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    type Answered = (StatusCode, HeaderMap, Bytes);

    async fn read(response: Response<ResponseBody<Empty<Bytes>>>) -> Answered {
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    /// The answer of the console in front of a service that answers 418 to everything.
    async fn with_console(layer: ConsoleLayer, request: Request<()>) -> Answered {
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(
                Response::builder().status(418).body(Empty::<Bytes>::new()).unwrap(),
            )
        });
        read(layer.layer(inner).oneshot(request).await.unwrap()).await
    }

    #[tokio::test]
    async fn a_browser_gets_the_page_and_every_other_program_what_it_got_before() {
        let page = with_console(ConsoleLayer::new(), request("GET", "/", &[("accept", BROWSER)])).await;
        assert_eq!(page.0, 200);
        assert!(page.2.starts_with(b"<!doctype html>"));
        for (method, path, accept) in [
            ("GET", "/", "*/*"),
            ("GET", "/", "application/json, text/htmlx"),
            ("POST", "/", BROWSER),
            ("OPTIONS", "/", BROWSER),
            ("GET", "/sessions", BROWSER),
            ("GET", "/console", BROWSER),
            ("GET", "//console/app.js", BROWSER),
        ] {
            let answer =
                with_console(ConsoleLayer::new(), request(method, path, &[("accept", accept)])).await;
            assert_eq!(answer.0, 418, "{method} {path} {accept}");
        }
        let off = ConsoleLayer::new().enabled(false);
        assert_eq!(with_console(off, request("GET", "/", &[("accept", BROWSER)])).await.0, 418);
        assert_eq!(with_console(off, request("GET", "/console/app.js", &[])).await.0, 418);
    }

    #[tokio::test]
    async fn every_url_in_the_page_is_relative_and_answered() {
        let page = str::from_utf8(files::page().content).unwrap();
        let named = page.split('"').filter(|text| text.contains("console/")).collect::<Vec<_>>();
        assert_eq!(named.len(), 4, "{named:?}");
        for name in named {
            assert!(name.starts_with("console/"), "{name}");
            let answer = Console::new().oneshot(request("GET", &format!("/{name}"), &[])).await.unwrap();
            assert_eq!(answer.status(), 200, "{name}");
        }
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("<script>"));
    }

    #[tokio::test]
    async fn files_are_read_only_known_by_their_tag_and_under_a_strict_policy() {
        let get = |method, headers: &[(&str, &str)]| {
            let request = request(method, "/console/app.js", headers);
            async { read(Console::new().oneshot(request).await.unwrap()).await }
        };
        let (status, headers, body) = get("GET", &[]).await;
        assert_eq!(status, 200);
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(headers[header::CONTENT_LENGTH], body.len().to_string());
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"));

        let head = get("HEAD", &[]).await;
        assert_eq!((head.0, &head.1), (status, &headers));
        assert!(head.2.is_empty());

        let tag = headers[header::ETAG].to_str().unwrap();
        for given in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let (status, again, body) = get("GET", &[("if-none-match", &given)]).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{given}");
            assert_eq!(again[header::ETAG], tag);
        }
        assert_eq!(get("GET", &[("if-none-match", "\"x\"")]).await.0, 200);

        for (coding, compressed) in
            [("gzip, deflate, br", true), ("br;q=1, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            let (_, headers, small) = get("GET", &[("accept-encoding", coding)]).await;
            assert_eq!(headers.get(header::CONTENT_ENCODING).is_some(), compressed, "{coding}");
            assert_eq!(small.len() < body.len() / 2, compressed, "{coding}");
            assert_eq!(headers[header::ETAG] != *tag, compressed, "{coding}");
            let again =
                [("accept-encoding", coding), ("if-none-match", headers[header::ETAG].to_str().unwrap())];
            assert_eq!(get("GET", &again).await.0, StatusCode::NOT_MODIFIED, "{coding}");
        }

        assert!(!headers.contains_key("service-worker-allowed"));
        let worker = Console::new().oneshot(request("GET", "/console/worker.js", &[])).await.unwrap();
        assert_eq!(worker.headers()["service-worker-allowed"], "../");
        assert_eq!(worker.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(worker.headers()[header::CONTENT_SECURITY_POLICY], POLICY);

        let (status, headers, _) = get("POST", &[]).await;
        assert_eq!(
            (status, headers[header::ALLOW].as_bytes()),
            (StatusCode::METHOD_NOT_ALLOWED, &b"GET, HEAD"[..])
        );
        for path in ["/console/", "/console/none", "/console/../app.js", "/elsewhere"] {
            let answer = Console::new().oneshot(request("GET", path, &[])).await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
}
