//! The route `GET /genui/schema`: alone, and as a layer that answers it before the inner service.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll, ready as ready_now},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::GenUi;
use crate::layers::reply::{Refusal, ResponseBody, json_response};

/// The path of the route, relative to where it is mounted.
const PATH: &str = "/genui/schema";

/// The methods of the route.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The answer of the route.
#[derive(Clone, Debug)]
struct Schema {
    /// `None`: no component is registered.
    json: Option<Bytes>,
}

impl Schema {
    fn of(genui: &GenUi) -> Self {
        Self { json: (!genui.is_empty()).then(|| genui.schema().to_string().into()) }
    }

    fn answer<B: From<Bytes>>(&self, method: &Method) -> Response<B> {
        let head = method == Method::HEAD;
        let Some(json) = &self.json else {
            let refusal = Refusal::new(StatusCode::NOT_FOUND, "no component is registered");
            return refusal.into_response(head);
        };
        match *method {
            Method::GET | Method::HEAD => json_response(StatusCode::OK, json.clone(), head),
            Method::OPTIONS => {
                let mut response = Response::new(Bytes::new().into());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
                response
            }
            _ => {
                let refusal =
                    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {ALLOW}"));
                refusal.with_allow(ALLOW).into_response(head)
            }
        }
    }
}

/// Answers `GET /genui/schema`, and every other path with 404. It needs no token.
#[derive(Clone, Debug)]
pub struct GenUiSchema(Schema);

impl GenUiSchema {
    pub(super) fn new(genui: &GenUi) -> Self {
        Self(Schema::of(genui))
    }
}

impl<B> Service<Request<B>> for GenUiSchema {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(match request.uri().path() {
            PATH => self.0.answer(request.method()),
            _ => {
                let refusal = Refusal::new(StatusCode::NOT_FOUND, "there is nothing here");
                refusal.into_response(request.method() == Method::HEAD)
            }
        }))
    }
}

/// Applies [`GenUiService`].
#[derive(Clone, Debug)]
pub struct GenUiLayer(Schema);

impl GenUiLayer {
    /// A layer that answers `GET /genui/schema` with these components, or with 404 if there are none.
    #[must_use]
    pub fn new(genui: &GenUi) -> Self {
        Self(Schema::of(genui))
    }
}

impl<S> Layer<S> for GenUiLayer {
    type Service = GenUiService<S>;

    fn layer(&self, inner: S) -> GenUiService<S> {
        GenUiService { inner, schema: self.0.clone() }
    }
}

/// Answers `GET /genui/schema` without a token, and passes every other request to the inner service.
#[derive(Clone)]
pub struct GenUiService<S> {
    inner: S,
    schema: Schema,
}

impl<S, B, RB> Service<Request<B>> for GenUiService<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Response = Response<ResponseBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, RB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        if is_own(&parts) {
            return ResponseFuture { inner: None, own: Some(self.schema.answer(&parts.method)) };
        }
        ResponseFuture { inner: Some(self.inner.call(Request::from_parts(parts, body))), own: None }
    }
}

fn is_own(parts: &Parts) -> bool {
    parts.uri.path() == PATH
}

impl<S> fmt::Debug for GenUiService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenUiService").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`GenUiService`].
    pub struct ResponseFuture<F, RB> {
        #[pin]
        inner: Option<F>,
        own: Option<Response<ResponseBody<RB>>>,
    }
}

impl<F, RB, E> Future for ResponseFuture<F, RB>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = Result<Response<ResponseBody<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => {
                let response = ready_now!(inner.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            None => Poll::Ready(Ok(this.own.take().expect("polled after it was ready"))),
        }
    }
}

impl<F, RB> fmt::Debug for ResponseFuture<F, RB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};
    use tower::{ServiceExt, service_fn};

    use super::*;

    fn genui() -> GenUi {
        GenUi::new().with_schema("card", "A card.", json!({"type": "object"})).unwrap()
    }

    async fn ask(genui: &GenUi, method: &str, path: &str) -> Response<Bytes> {
        let request = || Request::builder().method(method).uri(path).body(()).unwrap();
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::builder().status(401).body(Full::new(Bytes::new())).unwrap())
        });
        let alone = genui.service().oneshot(request()).await.unwrap();
        let layered = GenUiLayer::new(genui).layer(inner).oneshot(request()).await.unwrap();
        if path == PATH {
            assert_eq!((alone.status(), alone.headers()), (layered.status(), layered.headers()));
        } else {
            assert_eq!((alone.status().as_u16(), layered.status().as_u16()), (404, 401));
        }
        let (parts, body) = alone.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn the_schema_needs_no_token_and_everything_else_is_passed_on() {
        let answer = ask(&genui(), "GET", PATH).await;
        let schema: Value = serde_json::from_slice(answer.body()).unwrap();
        let tool = json!({"name": "mcp__genui__render_card", "short_name": "card", "raw_tool_name": "render_card",
            "description": "A card.", "schema": {"type": "object"}});
        assert_eq!(
            schema,
            json!({"version": "1.0", "server_name": "genui", "prefix": "render_", "tools": [tool]})
        );
        for (method, status) in [("HEAD", 200), ("OPTIONS", 204), ("POST", 405)] {
            assert_eq!(ask(&genui(), method, PATH).await.status(), status, "{method}");
        }
        assert_eq!(ask(&genui(), "POST", PATH).await.headers()["allow"], ALLOW);
        ask(&genui(), "GET", "/genui/schema/").await;
        ask(&genui(), "GET", "/sessions").await;
        assert_eq!(ask(&GenUi::new(), "GET", PATH).await.status(), 404);
    }
}
