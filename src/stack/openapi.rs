//! `GET /openapi.json`: the description of the API, for everybody.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tokio_util::either::Either;
use tower::{Layer, Service};

use crate::{
    layers::reply::{Refusal, json_response},
    service::OPENAPI,
};

const PATH: &str = "/openapi.json";
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Answers `/openapi.json` and passes other requests to the inner service. Put it outside of authentication.
#[derive(Clone, Copy, Debug)]
pub(super) struct DescribeLayer;

/// The service of a [`DescribeLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Described<S> {
    inner: S,
}

impl<S> Layer<S> for DescribeLayer {
    type Service = Described<S>;

    fn layer(&self, inner: S) -> Described<S> {
        Described { inner }
    }
}

impl<S, B, RB> Service<Request<B>> for Described<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<S::Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == PATH {
            Either::Left(ready(Ok(answer(request.method()))))
        } else {
            Either::Right(self.inner.call(request))
        }
    }
}

fn answer<B: From<Bytes>>(method: &Method) -> Response<B> {
    match *method {
        Method::GET => json_response(StatusCode::OK, OPENAPI, false),
        Method::HEAD => json_response(StatusCode::OK, OPENAPI, true),
        Method::OPTIONS => {
            let mut response = Response::new(Bytes::new().into());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
            response
        }
        _ => {
            let detail = format!("this path takes {ALLOW}");
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_allow(ALLOW).into_response(false)
        }
    }
}
