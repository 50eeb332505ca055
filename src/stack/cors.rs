//! The CORS layer for pages of other origins.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Time for which browsers cache the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// Makes a CORS layer that allows pages of these origins what a client in a browser needs: all methods of the
/// protocol, the request headers `Authorization`, `Content-Type`, `Idempotency-Key`, `Last-Event-ID` and
/// `X-Request-Id`, and the response headers `Retry-After`, `WWW-Authenticate` and `X-Request-Id`. Cookies are
/// not allowed.
///
/// ```
/// use agent_webkit::stack::cors_for;
/// use http::HeaderValue;
///
/// let cors = cors_for([HeaderValue::from_static("https://app.example.com")]);
/// # let _ = cors;
/// ```
pub fn cors_for(origins: impl IntoIterator<Item = HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(MAX_AGE)
}
