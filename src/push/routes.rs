//! The routes below `/push`.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use serde::Serialize;
use tower::{BoxError, Layer, Service};

pub use crate::webhooks::ResponseFuture;

use super::{Shared, subscription::Subscription};
use crate::{
    layers::reply::ResponseBody,
    service::{
        Limits, READ, SessionError,
        http::{Caller, Failure, body, reply},
    },
    storage::catalog::CatalogError,
};

/// Maximum size of a subscription, in bytes.
const SUBSCRIPTION: usize = 8 << 10;

/// Answers the routes below `/push`. Put it inside of authentication.
#[derive(Clone)]
pub(crate) struct PushLayer {
    shared: Option<Arc<Shared>>,
}

impl PushLayer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared: Some(shared) }
    }

    /// A layer that passes every request on.
    pub(crate) const fn off() -> Self {
        Self { shared: None }
    }
}

impl<S> Layer<S> for PushLayer {
    type Service = PushService<S>;

    fn layer(&self, inner: S) -> PushService<S> {
        PushService { inner, shared: self.shared.clone() }
    }
}

/// The service of the routes below `/push`. Every other request reaches the inner service.
#[derive(Clone)]
pub struct PushService<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

/// What a path names.
#[derive(Clone, Copy)]
enum Route<'a> {
    Key,
    Devices,
    Device(&'a str),
}

impl<'a> Route<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        match path.strip_prefix("/push")? {
            "" => Some(Self::Key),
            "/subscriptions" => Some(Self::Devices),
            rest => {
                let id = rest.strip_prefix("/subscriptions/")?;
                (!id.is_empty() && !id.contains('/')).then_some(Self::Device(id))
            }
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Key => "GET, HEAD, OPTIONS",
            Self::Devices => "OPTIONS, POST",
            Self::Device(_) => "DELETE, OPTIONS",
        }
    }
}

impl<S, B, R> Service<Request<B>> for PushService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = self.shared.clone().filter(|_| Route::parse(request.uri().path()).is_some());
        match own {
            Some(shared) => ResponseFuture::own(async move { shared.answer(request).await }),
            None => ResponseFuture::inner(self.inner.call(request)),
        }
    }
}

impl Shared {
    async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let head = request.method() == Method::HEAD;
        match self.dispatch(request).await {
            Ok(response) if head => response.map(|_| Bytes::new()),
            Ok(response) => response,
            Err(failure) => failure.into_response(head),
        }
    }

    async fn dispatch<B>(self: Arc<Self>, request: Request<B>) -> Result<Response<Bytes>, Failure>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        #[derive(Serialize)]
        struct Key {
            public_key: String,
        }
        #[derive(Serialize)]
        struct Added {
            id: String,
        }
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts.extensions);
        let route = Route::parse(parts.uri.path()).ok_or_else(Failure::unknown_path)?;
        match (&parts.method, route) {
            (&Method::OPTIONS, _) => Ok(reply::options(route.allow())),
            (&Method::GET | &Method::HEAD, Route::Key) => {
                caller.must(READ)?;
                let public_key = self.key().await.map_err(unavailable)?.public();
                Ok(reply::json(StatusCode::OK, &Key { public_key }))
            }
            (&Method::POST, Route::Devices) => {
                caller.must(READ)?;
                let body =
                    body::read(&parts.headers, body, &Limits::default().max_body(SUBSCRIPTION)).await?;
                let subscription = Subscription::read(&body, &self.services).map_err(Failure::bad_request)?;
                let id = self.add(&subscription, caller.principal()).await.map_err(unavailable)?;
                Ok(reply::json(StatusCode::OK, &Added { id }))
            }
            (&Method::DELETE, Route::Device(id)) => {
                caller.must(READ)?;
                self.remove(id, caller.principal()).await.map_err(unavailable)?;
                Ok(reply::no_content())
            }
            _ => Err(Failure::method(route.allow())),
        }
    }
}

fn unavailable(error: CatalogError) -> Failure {
    SessionError::from(error).into()
}

impl<S> fmt::Debug for PushService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushService").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let allowed = |path| Route::parse(path).map(Route::allow);
        assert_eq!(allowed("/push"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(allowed("/push/subscriptions"), Some("OPTIONS, POST"));
        assert_eq!(allowed("/push/subscriptions/a"), Some("DELETE, OPTIONS"));
        for none in
            ["/pushy", "/push/", "/push/subscriptions/", "/push/subscriptions/a/b", "/sessions/push", "/"]
        {
            assert_eq!(allowed(none), None, "{none}");
        }
    }
}
