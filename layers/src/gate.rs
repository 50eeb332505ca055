//! The future that auth and lookup share: it waits for a decision, then calls the inner service or answers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::reply::ResponseBody;

/// The outcome of a decision about a request.
pub(crate) enum Verdict<T, B> {
    /// The request goes to the inner service, with this in its extensions.
    Pass(T),
    /// The layer answers the request itself.
    Answer(Response<ResponseBody<B>>),
}

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
    /// Drives the gate. `judge` turns the decision into a verdict; its second argument is whether the request is a `HEAD`.
    pub(crate) fn poll<T>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        judge: impl Fn(D::Output, bool) -> Verdict<T, RB>,
    ) -> Poll<Result<Response<ResponseBody<RB>>, S::Error>>
    where
        T: Clone + Send + Sync + 'static,
    {
        loop {
            match self.as_mut().project() {
                GateProjection::Deciding { decision, held } => {
                    let decided = ready!(decision.poll(cx));
                    let (mut service, mut request) = held.take().expect("polled after it was ready");
                    let verdict = judge(decided, request.method() == Method::HEAD);
                    match verdict {
                        Verdict::Pass(extension) => {
                            request.extensions_mut().insert(extension);
                            let response = service.call(request);
                            self.set(Self::Calling { response });
                        }
                        Verdict::Answer(answer) => return Poll::Ready(Ok(answer)),
                    }
                }
                GateProjection::Calling { response } => {
                    return response.poll(cx).map_ok(|response| response.map(ResponseBody::inner));
                }
            }
        }
    }
}
