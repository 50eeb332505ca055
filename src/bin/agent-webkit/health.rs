//! The probes `/healthz` and `/readyz`, which need no credentials.

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use agent_webkit::{
    layers::reply::{Refusal, json_response},
    settings::Store,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tower::Service;

/// The body of a short response.
pub(crate) type Small = Full<Bytes>;

/// A probe's answer. Boxed: it may ask the database.
type Answer = Pin<Box<dyn Future<Output = Response<Small>> + Send>>;

/// Answers the two probes and passes other requests to the inner service.
#[derive(Clone, Debug)]
pub(crate) struct Probed<S> {
    inner: S,
    draining: Arc<AtomicBool>,
    store: Store,
}

impl<S> Probed<S> {
    /// `/healthz` always returns 200, `/readyz` returns 503 once `draining` is set, and while the store takes no
    /// writes.
    pub(crate) fn new(inner: S, draining: Arc<AtomicBool>, store: Store) -> Self {
        Self { inner, draining, store }
    }

    fn probe<B>(&self, request: &Request<B>) -> Option<Answer> {
        let head = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => return None,
        };
        let answer = match request.uri().path() {
            "/healthz" => json_response(StatusCode::OK, r#"{"status":"ok"}"#, head),
            "/readyz" if self.draining.load(Ordering::Relaxed) => {
                unready("the server is shutting down").into_response(head)
            }
            "/readyz" => {
                let store = self.store.clone();
                return Some(Box::pin(async move {
                    match store.check().await {
                        Ok(()) => json_response(StatusCode::OK, r#"{"status":"ready"}"#, head),
                        Err(fault) => unready(fault.to_string()).into_response(head),
                    }
                }));
            }
            _ => return None,
        };
        Some(Box::pin(std::future::ready(answer)))
    }
}

fn unready(why: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

impl<S, B, R> Service<Request<B>> for Probed<S>
where
    S: Service<Request<B>, Response = Response<Either<Small, R>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.probe(&request) {
            Some(answer) => ResponseFuture::Probe { answer },
            None => ResponseFuture::Inner { future: self.inner.call(request) },
        }
    }
}

pin_project! {
    /// The response of a probe or of the inner service.
    #[project = Projection]
    pub(crate) enum ResponseFuture<F> {
        Probe { answer: Answer },
        Inner { #[pin] future: F },
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<Either<Small, R>>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projection::Probe { answer } => {
                answer.as_mut().poll(cx).map(|answer| Ok(answer.map(Either::Left)))
            }
            Projection::Inner { future } => future.poll(cx),
        }
    }
}
