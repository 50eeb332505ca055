//! The service, which answers requests for the streams that it records.

use std::{
    fmt,
    future::pending,
    panic,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use tokio::task::JoinError;
use tower_service::Service;

use super::{
    Asked, Identify, RecordConfig,
    position::Position,
    reader::{Reader, Start, TailOf, not_found},
    recorder::BoxError,
    registry::Registry,
};
use crate::ready::take_ready;
use crate::resume::{EventLog, Framing, ResponseBody, ResponseFuture, Sse, respond::invalid_response};

/// Records the inner service's event streams, and answers from the records: see
/// [`RecordLayer`](super::RecordLayer).
pub struct Record<S, L: EventLog, I, F = Sse> {
    inner: S,
    identify: Arc<I>,
    config: RecordConfig,
    framing: F,
    registry: Arc<Registry<L>>,
}

impl<S, L: EventLog, I, F> Record<S, L, I, F> {
    pub(super) fn new(
        inner: S,
        identify: Arc<I>,
        config: RecordConfig,
        framing: F,
        registry: Arc<Registry<L>>,
    ) -> Self {
        Self { inner, identify, config, framing, registry }
    }

    /// The answer to a request that needs no call, or the request's key and whether it may start a stream.
    fn ask<B: From<Bytes>>(&self, request: &Parts) -> Result<Option<(String, Start)>, Response<B>>
    where
        I: Identify,
    {
        let asked = self.identify.identify(request);
        if request.method == Method::DELETE && self.identify.delete_stops() {
            return match asked {
                Asked::Nothing | Asked::New(_) | Asked::Anew(_) => Ok(None),
                Asked::Stream(key) | Asked::Existing(key) => Err(self.stop(&key)),
            };
        }
        Ok(match asked {
            Asked::Nothing => None,
            Asked::Stream(key) | Asked::New(key) => Some((key, Start::IfMissing)),
            Asked::Existing(key) => Some((key, Start::Never)),
            Asked::Anew(key) => Some((key, Start::Anew)),
        })
    }

    fn stop<B: From<Bytes>>(&self, key: &str) -> Response<B> {
        if !self.registry.stop(key) {
            return not_found();
        }
        let mut stopped = Response::new(Bytes::new().into());
        *stopped.status_mut() = StatusCode::NO_CONTENT;
        stopped
    }
}

impl<S, L, I, F, ReqBody, ResBody> Service<Request<ReqBody>> for Record<S, L, I, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Send + 'static, Future: Send>,
    S: Clone + Send + 'static,
    L: EventLog,
    I: Identify,
    F: Framing,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody, TailOf<L, F>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, TailOf<L, F>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (key, start) = match self.ask(&parts) {
            Ok(Some(asked)) => asked,
            Ok(None) => return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body))),
            Err(answer) => return ResponseFuture::ready(answer),
        };
        let position = match Position::of(&parts, &self.framing) {
            Ok(position) => position,
            Err(invalid) => return ResponseFuture::ready(invalid_response(invalid)),
        };
        let header = self.identify.header().cloned().zip(HeaderValue::from_str(&key).ok());
        let reader = Reader {
            registry: Arc::clone(&self.registry),
            config: self.config.clone(),
            framing: self.framing.clone(),
            key,
            position,
            start,
        };
        if parts.method == Method::HEAD {
            return match (self.registry.recorded(&reader.key), start) {
                (Some(stream), _) => ResponseFuture::waiting(async move { Ok(reader.head(&stream).await) }),
                (None, Start::Never) => ResponseFuture::ready(not_found()),
                (None, Start::IfMissing | Start::Anew) => {
                    ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)))
                }
            };
        }
        let inner = take_ready(&mut self.inner);
        let is_safe = parts.method.is_safe();
        let answer = reader.respond(inner, Request::from_parts(parts, body));
        let named = async move {
            let mut response = answer.await?;
            if let Some((name, id)) = header.filter(|_| response.body().is_stream()) {
                response.headers_mut().insert(name, id);
            }
            Ok(response)
        };
        if is_safe {
            return ResponseFuture::waiting(named);
        }
        // The call may have an effect, so it is not given up when its caller leaves.
        let call = tokio::spawn(named);
        ResponseFuture::waiting(async move {
            match call.await.map_err(JoinError::try_into_panic) {
                Ok(answer) => answer,
                Err(Ok(panicked)) => panic::resume_unwind(panicked),
                // The runtime shuts down, which ends this future as well.
                Err(Err(_)) => pending().await,
            }
        })
    }
}

impl<S: Clone, L: EventLog, I, F: Clone> Clone for Record<S, L, I, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            identify: Arc::clone(&self.identify),
            config: self.config.clone(),
            framing: self.framing.clone(),
            registry: Arc::clone(&self.registry),
        }
    }
}

impl<S: fmt::Debug, L: EventLog, I, F> fmt::Debug for Record<S, L, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
