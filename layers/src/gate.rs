//! The future that auth and lookup share: it waits for a decision, then calls the inner service or answers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::reply::{Refusal, Renderer, ResponseBody};

pin_project! {
    /// A request that waits for the decision `D`, then its response `F` from the service `S`.
    #[project = GateProjection]
    pub(crate) enum Gate<D, S, B, F> {
        Deciding { #[pin] decision: D, held: Option<(S, Request<B>)> },
        Calling { #[pin] response: F },
    }
}

impl<D, S, B, F> Gate<D, S, B, F> {
    /// Holds the request until `decision` is ready.
    pub(crate) fn closed(decision: D, service: S, request: Request<B>) -> Self {
        Self::Deciding { decision, held: Some((service, request)) }
    }

    /// A gate without a decision: the inner service's response.
    #[cfg(feature = "lookup")]
    pub(crate) fn open(response: F) -> Self {
        Self::Calling { response }
    }
}

impl<D, S, B, RB> Gate<D, S, B, S::Future>
where
    D: Future,
    S: Service<Request<B>, Response = Response<RB>>,
{
    /// Drives the gate. `judge` turns the decision into what the inner service finds in the request's extensions, or into
    /// a refusal, which `renderer` makes the answer of.
    pub(crate) fn poll<T>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        renderer: &Renderer,
        judge: impl Fn(D::Output) -> Result<Option<T>, Refusal>,
    ) -> Poll<Result<Response<ResponseBody<RB>>, S::Error>>
    where
        T: Clone + Send + Sync + 'static,
    {
        loop {
            match self.as_mut().project() {
                GateProjection::Deciding { decision, held } => {
                    let decided = ready!(decision.poll(cx));
                    let (mut service, mut request) = held.take().expect("polled after it was ready");
                    match judge(decided) {
                        Ok(extension) => {
                            if let Some(extension) = extension {
                                request.extensions_mut().insert(extension);
                            }
                            let response = service.call(request);
                            self.set(Self::Calling { response });
                        }
                        Err(refusal) => {
                            let (head, _) = request.into_parts();
                            return Poll::Ready(Ok(renderer.answer(refusal, &head)));
                        }
                    }
                }
                GateProjection::Calling { response } => {
                    return response.poll(cx).map_ok(|response| response.map(ResponseBody::inner));
                }
            }
        }
    }
}
