//! Ends streams when the credential of their request expires or is revoked.
//!
//! An event stream may last for hours, a token for minutes. [`ExpiryLayer`], put inside of
//! [`AuthLayer`](super::AuthLayer), ends the body of a response when the request's [`Principal`] expires or its
//! [`Revocation`] comes. The body ends without an error and between two frames, so that the client of an event stream
//! reconnects by itself, with a fresh credential.
//!
//! ```
//! use agent_webkit_layers::auth::{AuthLayer, StaticTokens, expiry::ExpiryLayer};
//! # use bytes::Bytes;
//! # use http::{Request, Response};
//! # use http_body_util::Full;
//! use tower::{ServiceBuilder, service_fn};
//!
//! # async fn stream(_: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> { unimplemented!() }
//! let service = ServiceBuilder::new()
//!     .layer(AuthLayer::new(StaticTokens::new(["s3cret"])?))
//!     .layer(ExpiryLayer::new())
//!     .service(service_fn(stream));
//! # let _ = service;
//! # Ok::<(), agent_webkit_layers::auth::TokenError>(())
//! ```
//!
//! A body of known length is never cut, because it is already complete. The layer uses tokio's timer, so it needs a
//! tokio runtime if principals expire.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use http::{Extensions, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use super::{Principal, Revocation, Revoked};

/// Applies [`Expiry`]: responses end when the request's principal expires or is revoked.
///
/// ```
/// use agent_webkit_layers::auth::{AuthLayer, StaticTokens, expiry::ExpiryLayer};
/// use tower::ServiceBuilder;
///
/// let layers = ServiceBuilder::new().layer(AuthLayer::new(StaticTokens::default())).layer(ExpiryLayer::new());
/// # let _ = layers;
/// ```
#[derive(Clone, Copy)]
pub struct ExpiryLayer {
    read: fn(&Extensions) -> CredentialEnd,
}

impl ExpiryLayer {
    /// The layer, for requests whose principal is a [`Principal`].
    #[must_use]
    pub const fn new() -> Self {
        Self::by(CredentialEnd::of_principal)
    }

    /// The layer, for principals of another type: `read` finds in the request's extensions when the credential ends.
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use agent_webkit_layers::auth::expiry::{CredentialEnd, ExpiryLayer};
    /// use http::Extensions;
    ///
    /// #[derive(Clone)]
    /// struct Claims {
    ///     expires_at: SystemTime,
    /// }
    ///
    /// let layer = ExpiryLayer::by(|extensions: &Extensions| CredentialEnd {
    ///     expires_at: extensions.get::<Claims>().map(|claims| claims.expires_at),
    ///     revocation: None,
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub const fn by(read: fn(&Extensions) -> CredentialEnd) -> Self {
        Self { read }
    }
}

impl Default for ExpiryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ExpiryLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiryLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ExpiryLayer {
    type Service = Expiry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Expiry { inner, read: self.read }
    }
}

/// Ends the bodies of the inner service's responses when the request's principal expires or is revoked.
#[derive(Clone, Copy)]
pub struct Expiry<S> {
    inner: S,
    read: fn(&Extensions) -> CredentialEnd,
}

impl<S, B, RB> Service<Request<B>> for Expiry<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body,
{
    type Response = Response<ResponseBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let end = (self.read)(request.extensions());
        ResponseFuture { inner: self.inner.call(request), end }
    }
}

impl<S> fmt::Debug for Expiry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiry").finish_non_exhaustive()
    }
}

/// When a credential ends. The default is never.
#[derive(Clone, Debug, Default)]
pub struct CredentialEnd {
    /// The time when it expires.
    pub expires_at: Option<SystemTime>,
    /// Tells that it was revoked.
    pub revocation: Option<Revocation>,
}

impl CredentialEnd {
    fn of_principal(extensions: &Extensions) -> Self {
        extensions.get::<Principal>().map_or_else(Self::default, |principal| Self {
            expires_at: principal.expires_at,
            revocation: principal.revocation.clone(),
        })
    }
}

pin_project! {
    /// The future of [`Expiry`], over that of the inner service.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        end: CredentialEnd,
    }
}

impl<F, RB, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: Body,
{
    type Output = Result<Response<ResponseBody<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let end = std::mem::take(this.end);
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, end))))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A body that ends with the credential at the latest.
    pub struct ResponseBody<B> {
        // Dropped with the credential, so that its resources are freed at that moment.
        #[pin]
        inner: Option<B>,
        expired: Option<Pin<Box<Sleep>>>,
        revoked: Option<Revoked>,
    }
}

impl<B: Body> ResponseBody<B> {
    fn new(inner: B, end: CredentialEnd) -> Self {
        let CredentialEnd { expires_at, revocation } =
            if inner.size_hint().exact().is_none() { end } else { CredentialEnd::default() };
        let expired = expires_at.and_then(instant).map(|end| Box::pin(sleep_until(end)));
        let revoked = revocation.map(|revocation| revocation.revoked());
        Self { inner: Some(inner), expired, revoked }
    }
}

/// The time as tokio's `Instant`; `None` if it is too far in the future for an `Instant`.
fn instant(time: SystemTime) -> Option<Instant> {
    let left = time.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left)
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if this.expired.as_mut().is_some_and(|expired| expired.as_mut().poll(cx).is_ready())
            || this.revoked.as_mut().is_some_and(|revoked| Pin::new(revoked).poll(cx).is_ready())
        {
            this.inner.set(None);
            (*this.expired, *this.revoked) = (None, None);
        }
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) if self.expired.is_none() && self.revoked.is_none() => inner.size_hint(),
            Some(inner) => {
                let mut hint = SizeHint::new();
                if let Some(upper) = inner.size_hint().upper() {
                    hint.set_upper(upper);
                }
                hint
            }
            None => SizeHint::with_exact(0),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
