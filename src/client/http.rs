//! The HTTP client under a [`Client`](super::Client): any tower service.

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{BoxError, Service, ServiceExt};

/// The body of a response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// An HTTP client: an alias for a tower [`Service`] of `http::Request<Full<Bytes>>` that can be cloned, whatever its
/// body and its error.
///
/// hyper-util's client is one, and so is a [`Stack`](crate::Stack), which then answers without a socket. Put
/// timeouts, concurrency limits and tracing around it with tower. For a client with another request body, map it:
/// `service.map_request(|request: Request<Full<Bytes>>| request.map(Into::into))`.
pub trait HttpService: sealed::Http {}

impl<S: sealed::Http> HttpService for S {}

mod sealed {
    use std::pin::Pin;

    use super::{BoxError, Bytes, Full, Request, Response, ResponseBody};

    pub(super) type Exchange = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, BoxError>> + Send>>;

    pub trait Http: Clone + Send + Sync + 'static {
        fn exchange(&self, request: Request<Full<Bytes>>) -> Exchange;
    }
}

impl<S, R> sealed::Http for S
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: Body + Send + 'static,
    R::Data: Buf,
    R::Error: Into<BoxError>,
{
    fn exchange(&self, request: Request<Full<Bytes>>) -> sealed::Exchange {
        let answer = self.clone().oneshot(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            Ok(response.map(|body| {
                body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                    .map_err(Into::into)
                    .boxed_unsync()
            }))
        })
    }
}
