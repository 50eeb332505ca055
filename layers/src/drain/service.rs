use std::{
    fmt,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, Version, header};
use http_body::Body;
use tower_service::Service;

use super::{RequestBody, ResponseFuture, bounds::Bounds};

/// Reads what the inner service leaves of a request's body before it passes the response on. See the [module](super).
#[derive(Clone, Copy)]
pub struct Drain<S> {
    inner: S,
    bounds: Bounds,
}

impl<S> Drain<S> {
    pub(super) const fn new(inner: S, bounds: Bounds) -> Self {
        Self { inner, bounds }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// Marks a request whose body is kept already: two layers would read twice as much as one may.
#[derive(Clone, Copy)]
struct Kept;

impl<S, B, R> Service<Request<B>> for Drain<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        if body.is_end_stream() || parts.extensions.get::<Kept>().is_some() {
            let request = Request::from_parts(parts, RequestBody::plain(body));
            return ResponseFuture::new(self.inner.call(request), None);
        }
        parts.extensions.insert(Kept);
        let (body, rest) = RequestBody::kept(body, awaits_continue(parts.version, &parts.headers));
        let response = self.inner.call(Request::from_parts(parts, body));
        ResponseFuture::new(response, Some((rest, self.bounds)))
    }
}

/// Whether the client sends the body only after a `100 Continue`. Over HTTP/2 servers send none, and clients do not wait.
fn awaits_continue(version: Version, headers: &HeaderMap) -> bool {
    let expects = headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    expects && version == Version::HTTP_11
}

impl<S> fmt::Debug for Drain<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
