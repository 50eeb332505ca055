use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};

use super::{Refusal, Render};
use crate::json;

/// Renders refusals as problem details (RFC 9457).
///
/// The body is `application/problem+json`, with the members `type` (`about:blank`), `title` (the name of the status),
/// `status` and `detail`, and `code` if the refusal has one.
///
/// ```
/// use agent_webkit_layers::reply::{Problems, Refusal, Render};
/// use http::StatusCode;
///
/// let (request, ()) = http::Request::get("/").body(()).unwrap().into_parts();
/// let answer = Problems.render(Refusal::new(StatusCode::NOT_FOUND, "there is no such room"), &request);
/// assert_eq!(answer.headers()["content-type"], "application/problem+json");
/// assert_eq!(
///     answer.body(),
///     r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such room"}"#
/// );
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Problems;

impl Render for Problems {
    fn render(&self, refusal: Refusal, _request: &Parts) -> Response<Bytes> {
        let status = refusal.status();
        let mut body = format!(
            "{{\"type\":\"about:blank\",\"title\":{},\"status\":{},\"detail\":{}",
            json::string(status.canonical_reason().unwrap_or_default()),
            status.as_u16(),
            json::string(refusal.detail()),
        );
        if let Some(code) = refusal.code() {
            write!(body, ",\"code\":{}", json::string(code)).expect("a String takes everything");
        }
        body.push('}');
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        *response.headers_mut() = refusal.headers();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}
