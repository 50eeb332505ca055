//! A `Host` allow-list, against DNS rebinding.
//!
//! A server on loopback trusts that only this machine reaches it. A page in a browser on this machine can
//! break that trust by giving its own name the address 127.0.0.1; the name still stands in the request's
//! `Host`. This layer answers 403 unless every name that the request gives, in its target and in its `Host`
//! header, is allowed. Ports do not matter.
//!
//! ```
//! use agent_webkit::service::host::AllowHostLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut service = ServiceBuilder::new()
//!     .layer(AllowHostLayer::loopback().allow("agents.example.com"))
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//!
//! let here = Request::get("/").header("host", "localhost:8000").body(())?;
//! assert_eq!(service.ready().await?.call(here).await?.status(), StatusCode::OK);
//! let rebound = Request::get("/").header("host", "attacker.example").body(())?;
//! assert_eq!(service.ready().await?.call(rebound).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Method, Request, Response, header, uri::Authority};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

pub use super::http::body::ResponseBody;
use crate::service::failure::Failure;

/// Applies [`AllowHost`]: requests that name another host get 403.
#[derive(Clone, Debug)]
pub struct AllowHostLayer {
    /// `None`: whatever there is.
    names: Option<Arc<[String]>>,
}

impl AllowHostLayer {
    /// Allows `localhost` and every loopback address.
    #[must_use]
    pub fn loopback() -> Self {
        Self { names: Some(Arc::new(["localhost".to_owned()])) }
    }

    /// Allows every name: for a server that the world may reach.
    #[must_use]
    pub fn any() -> Self {
        Self { names: None }
    }

    /// Allows one more name or address, given without a port.
    #[must_use]
    pub fn allow(self, name: impl Into<String>) -> Self {
        let names = self.names.map(|names| names.iter().cloned().chain([name.into()]).collect());
        Self { names }
    }

    fn allows<B>(&self, request: &Request<B>) -> bool {
        let Some(names) = &self.names else { return true };
        let allows_name = |authority: &Authority| {
            !authority.as_str().contains('@') && is_loopback_or_among(names, authority.host())
        };
        let mut named = false;
        let target = request.uri().authority().map(allows_name);
        let allows_header =
            |value: &HeaderValue| Authority::try_from(value.as_bytes()).is_ok_and(|name| allows_name(&name));
        let headers = request.headers().get_all(header::HOST).iter().map(allows_header);
        target.into_iter().chain(headers).inspect(|_| named = true).all(|allowed| allowed) && named
    }
}

fn is_loopback_or_among(names: &[String], host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

impl<S> Layer<S> for AllowHostLayer {
    type Service = AllowHost<S>;

    fn layer(&self, inner: S) -> AllowHost<S> {
        AllowHost { inner, layer: self.clone() }
    }
}

/// Answers 403 to requests that name a host which is not allowed. See the [module](self).
#[derive(Clone, Debug)]
pub struct AllowHost<S> {
    inner: S,
    layer: AllowHostLayer,
}

impl<S, B, R> Service<Request<B>> for AllowHost<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.layer.allows(&request) {
            return ResponseFuture { kind: Kind::Inner { future: self.inner.call(request) } };
        }
        ResponseFuture { kind: Kind::Refused { head: request.method() == Method::HEAD } }
    }
}

pin_project! {
    /// The inner service's answer, or the refusal.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<F> {
        Inner { #[pin] future: F },
        Refused { head: bool },
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().kind.project() {
            KindProj::Inner { future } => {
                ready!(future.poll(cx)).map(|response| response.map(ResponseBody::inner))
            }
            KindProj::Refused { head } => {
                let refusal = Failure::forbidden("this server does not answer to the name in Host");
                Ok(refusal.into_response_to(*head))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        AllowHostLayer::loopback().allow("agents.example.com").allows(&request.body(()).unwrap())
    }

    #[test]
    fn loopback_names_and_allowed_ones_pass_whatever_the_port() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8000",
            "127.8.8.8",
            "[::1]:8000",
            "agents.example.com:443",
        ] {
            assert!(allows("/", &[host]), "{host}");
            assert!(allows(&format!("http://{host}/"), &[]), "{host} as the target of HTTP/2");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example",
            "agents.example.com.attacker.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "user@localhost",
            "",
            "not a host",
        ] {
            assert!(!allows("/", &[host]), "{host}");
        }
    }

    #[test]
    fn every_name_that_is_given_must_be_allowed_and_one_must_be() {
        assert!(!allows("/", &[]));
        assert!(!allows("http://attacker.example/", &["localhost"]));
        assert!(!allows("http://localhost/", &["attacker.example"]));
        assert!(!allows("/", &["localhost", "attacker.example"]));
        assert!(allows("http://localhost/", &["127.0.0.1"]));
    }
}
