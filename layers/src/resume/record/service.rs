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
    Asked, Identify, RecordConfig, elsewhere,
    position::Position,
    reader::{Reader, Start, TailOf, not_found},
    recorder::{BoxError, stopped_event},
    registry::Registry,
};
use crate::resume::{
    Event, EventLog, Framing, ResponseBody, ResponseFuture, Sse,
    respond::{invalid, unavailable},
};
use crate::{ready::take_ready, reply::Refusal};

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

    fn ask(&self, request: &Parts) -> Step
    where
        I: Identify,
    {
        let asked = self.identify.identify(request);
        if request.method == Method::DELETE && self.identify.delete_stops() {
            return match asked {
                Asked::Nothing | Asked::New(_) | Asked::Anew(_) => Step::PassOn,
                Asked::Stream(key) | Asked::Existing(key) => Step::Stop(key),
            };
        }
        match asked {
            Asked::Nothing => Step::PassOn,
            Asked::Stream(key) | Asked::New(key) => Step::Read(key, Start::IfMissing),
            Asked::Existing(key) => Step::Read(key, Start::Never),
            Asked::Anew(key) => Step::Read(key, Start::Anew),
        }
    }
}

/// What a request asks for.
enum Step {
    PassOn,
    Stop(String),
    Read(String, Start),
}

/// Stops a stream, wherever it is recorded.
async fn stop<L: EventLog, B: From<Bytes>>(
    registry: &Registry<L>,
    key: &str,
    is_shared: bool,
    stopped: Event,
) -> Result<Response<B>, Refusal> {
    let mut was_there = registry.stop(key);
    if !was_there && is_shared {
        was_there = match elsewhere::stop(&registry.log, key, stopped).await {
            Ok(was_there) => was_there,
            Err(error) => return Err(unavailable(&*error)),
        };
    }
    if !was_there {
        return Err(not_found());
    }
    let mut stopped = Response::new(Bytes::new().into());
    *stopped.status_mut() = StatusCode::NO_CONTENT;
    Ok(stopped)
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
        let refuse = self.config.renderer.of(&parts);
        let (key, start) = match self.ask(&parts) {
            Step::Read(key, start) => (key, start),
            Step::PassOn => return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body))),
            Step::Stop(key) => {
                let (registry, shared) = (Arc::clone(&self.registry), self.config.shared.is_some());
                let stopped = stopped_event(&self.framing);
                return ResponseFuture::waiting(async move {
                    let answer = stop(&registry, &key, shared, stopped).await;
                    Ok(answer.unwrap_or_else(|refusal| refuse.answer(refusal)))
                });
            }
        };
        let position = match Position::of(&parts, &self.framing) {
            Ok(position) => position,
            Err(error) => return ResponseFuture::ready(refuse.answer(invalid(error))),
        };
        let header = self.identify.header().cloned().zip(HeaderValue::from_str(&key).ok());
        let reader = Reader {
            registry: Arc::clone(&self.registry),
            config: self.config.clone(),
            framing: self.framing.clone(),
            key,
            position,
            start,
            refuse,
        };
        if parts.method == Method::HEAD {
            let inner = take_ready(&mut self.inner);
            return ResponseFuture::waiting(reader.respond_head(inner, Request::from_parts(parts, body)));
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
