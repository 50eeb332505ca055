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
    reader::{Missing, Reader, not_found},
    recorder::BoxError,
    registry::Registry,
};
use crate::ready::take_ready;
use crate::resume::{
    EventLog, EventStream, ResponseBody, ResponseFuture, last_event_id,
    respond::{head_response, invalid_response},
};

type TailOf<L> = <<L as EventLog>::Stream as EventStream>::Tail;

/// Records the inner service's event streams, and answers from the records: see
/// [`RecordLayer`](super::RecordLayer).
pub struct Record<S, L: EventLog, I> {
    inner: S,
    identify: Arc<I>,
    config: RecordConfig,
    registry: Arc<Registry<L>>,
}

impl<S, L: EventLog, I> Record<S, L, I> {
    pub(super) fn new(inner: S, identify: Arc<I>, config: RecordConfig, registry: Arc<Registry<L>>) -> Self {
        Self { inner, identify, config, registry }
    }

    /// The answer to a request that needs no call, or the request's key and what to do if its stream is missing.
    fn ask<B: From<Bytes>>(&self, request: &Parts) -> Result<Option<(String, Missing)>, Response<B>>
    where
        I: Identify,
    {
        let asked = self.identify.identify(request);
        if request.method == Method::DELETE && self.identify.delete_stops() {
            return match asked {
                Asked::Nothing | Asked::New(_) => Ok(None),
                Asked::Stream(key) | Asked::Existing(key) => Err(self.stop(&key)),
            };
        }
        Ok(match asked {
            Asked::Nothing => None,
            Asked::Stream(key) | Asked::New(key) => Some((key, Missing::Call)),
            Asked::Existing(key) => Some((key, Missing::NotFound)),
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

impl<S, L, I, ReqBody, ResBody> Service<Request<ReqBody>> for Record<S, L, I>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Send + 'static, Future: Send>,
    S: Clone + Send + 'static,
    L: EventLog,
    I: Identify,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody, TailOf<L>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, TailOf<L>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (key, missing) = match self.ask(&parts) {
            Ok(Some(asked)) => asked,
            Ok(None) => return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body))),
            Err(answer) => return ResponseFuture::ready(answer),
        };
        let cursor = match last_event_id(&parts) {
            Ok(cursor) => cursor,
            Err(invalid) => return ResponseFuture::ready(invalid_response(invalid)),
        };
        if parts.method == Method::HEAD {
            return match (self.registry.recorded(&key), missing) {
                (Some(stream), _) => ResponseFuture::ready(head_response(&stream.bounds(), cursor)),
                (None, Missing::NotFound) => ResponseFuture::ready(not_found()),
                (None, Missing::Call) => {
                    ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)))
                }
            };
        }
        let inner = take_ready(&mut self.inner);
        let header = self.identify.header().cloned().zip(HeaderValue::from_str(&key).ok());
        let is_safe = parts.method.is_safe();
        let reader = Reader {
            registry: Arc::clone(&self.registry),
            config: self.config.clone(),
            key,
            cursor,
            missing,
        };
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

impl<S: Clone, L: EventLog, I> Clone for Record<S, L, I> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            identify: Arc::clone(&self.identify),
            config: self.config.clone(),
            registry: Arc::clone(&self.registry),
        }
    }
}

impl<S: fmt::Debug, L: EventLog, I> fmt::Debug for Record<S, L, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
