//! What pages of other origins may do.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Browsers ask again after this time.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// What a client in a browser needs, for pages of these origins: all methods of the protocol, the request
/// headers `Authorization`, `Content-Type`, `Idempotency-Key`, `Last-Event-ID` and `X-Request-Id`, and to read
/// `Retry-After`, `WWW-Authenticate` and `X-Request-Id`. Cookies stay where they are.
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
