use bytes::Bytes;
use http::{Response, request::Parts};

use super::Refusal;

/// Makes the response to a request that a layer refuses, in place of the JSON `{"detail": "…"}`.
///
/// It is given the refusal and the head of the refused request, and may return any response.
/// [`Refusal::headers`] has the headers that belong to the refusal. The answer to a `HEAD` request loses its body
/// afterwards, and keeps its length.
///
/// Every `Fn(Refusal, &Parts) -> Response<Bytes>` is one, and [`Problems`](super::Problems) is one that is ready-made. The
/// same one fits the layers for authentication, id lookup and resumable streams:
///
/// ```
/// use agent_webkit_layers::reply::{Refusal, Render};
/// use bytes::Bytes;
/// use http::{Response, StatusCode, header, request::Parts};
///
/// /// Sends people in a browser to the page where they sign in.
/// fn sign_in(refusal: Refusal, request: &Parts) -> Response<Bytes> {
///     let accepts = request.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
///     if refusal.status() != StatusCode::UNAUTHORIZED || !accepts.unwrap_or_default().contains("text/html") {
///         return refusal.into_response(false);
///     }
///     Response::builder().status(303).header("location", "/sign-in").body(Bytes::new()).unwrap()
/// }
/// # let (parts, ()) = http::Request::get("/").header("accept", "text/html").body(()).unwrap().into_parts();
/// # assert_eq!(sign_in.render(Refusal::new(StatusCode::UNAUTHORIZED, ""), &parts).status(), 303);
/// ```
///
/// With the feature `auth`, `AuthLayer::new(tokens).render(sign_in)` uses it.
pub trait Render {
    /// The response to the request with this head, which is refused for this reason.
    fn render(&self, refusal: Refusal, request: &Parts) -> Response<Bytes>;
}

impl<F> Render for F
where
    F: Fn(Refusal, &Parts) -> Response<Bytes>,
{
    fn render(&self, refusal: Refusal, request: &Parts) -> Response<Bytes> {
        self(refusal, request)
    }
}
