//! `/metrics`: the library's metrics in Prometheus' text format.

use std::{
    convert::Infallible,
    future::{Ready, pending, ready},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit::{
    layers::auth::{self, AuthLayer, BoxVerify, Disabled},
    settings::MetricsAccess,
};
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Either;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::health::Small;

/// Histogram buckets in seconds: from a SQLite commit to an approval that takes an hour.
const BUCKETS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];

/// Interval at which the recorder sorts buffered samples into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The recorder and who may read it; `None` if metrics are off.
pub(crate) struct Metrics(Option<(PrometheusHandle, MetricsAccess)>);

impl Metrics {
    /// Installs the recorder, unless metrics are off.
    pub(crate) fn install(access: MetricsAccess) -> Self {
        if access == MetricsAccess::Off {
            return Self(None);
        }
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets");
        let handle = builder.install_recorder().expect("there is no other recorder in this process");
        agent_webkit::metrics::describe();
        Self(Some((handle, access)))
    }

    /// Returns a layer that serves `/metrics`. `verifier` checks the credentials unless access is public.
    pub(crate) fn layer(&self, verifier: BoxVerify) -> MetricsLayer {
        let page = self.0.as_ref().map(|(handle, access)| {
            let verifier = match access {
                MetricsAccess::Public => BoxVerify::new(Disabled),
                _ => verifier,
            };
            Page { handle: handle.clone(), verifier }
        });
        MetricsLayer { page }
    }

    /// Bounds the recorder's memory by sorting samples into buckets periodically. Never returns.
    pub(crate) async fn upkeep(&self) {
        let Some((handle, _)) = &self.0 else { return pending().await };
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            handle.run_upkeep();
        }
    }
}

#[derive(Clone)]
pub(crate) struct MetricsLayer {
    page: Option<Page>,
}

impl<S> Layer<S> for MetricsLayer {
    type Service = WithMetrics<S>;

    fn layer(&self, inner: S) -> WithMetrics<S> {
        WithMetrics { inner, page: self.page.clone() }
    }
}

/// Answers `/metrics` and passes other requests to the inner service.
#[derive(Clone)]
pub(crate) struct WithMetrics<S> {
    inner: S,
    page: Option<Page>,
}

#[derive(Clone)]
struct Page {
    handle: PrometheusHandle,
    verifier: BoxVerify,
}

impl Page {
    async fn answer(self, request: Request<()>) -> Response<auth::ResponseBody<Small>> {
        let head = request.method() == Method::HEAD;
        let verifier = self.verifier.clone();
        let page = service_fn(move |_: Request<()>| self.render(head));
        match AuthLayer::new(verifier).layer(page).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn render(&self, head: bool) -> Ready<Result<Response<Small>, Infallible>> {
        let text = if head { String::new() } else { self.handle.render() };
        let mut response = Response::new(Small::from(text));
        response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
        ready(Ok(response))
    }
}

impl<S, B, R> Service<Request<B>> for WithMetrics<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response<Either<auth::ResponseBody<Small>, R>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked =
            request.uri().path() == "/metrics" && matches!(*request.method(), Method::GET | Method::HEAD);
        match self.page.clone().filter(|_| asked) {
            Some(page) => {
                let (parts, _) = request.into_parts();
                let answer = page.answer(Request::from_parts(parts, ()));
                Box::pin(async move { Ok(answer.await.map(Either::Left)) })
            }
            None => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?.map(Either::Right)) })
            }
        }
    }
}
