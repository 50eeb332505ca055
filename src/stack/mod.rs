//! The protocol with all layers in the recommended order, as one service.
//!
//! From the outside in:
//!
//! 1. drain: the rest of a request's body is read before a response that did not need it ([`Drain`]);
//! 2. before anything is logged, the `Authorization` header is marked as sensitive and a ticket is removed
//!    from the URL ([`TakeTicket`]); a request without an `x-request-id` gets one, and the response repeats
//!    it;
//! 3. trace: a span for the request ([`RequestSpan`]); its outcome and its end are logged;
//! 4. [`CORS`](StackBuilder::cors), if it is set: a browser's preflight is answered before authentication;
//! 5. catch-panic: a panic becomes a 500;
//! 6. [`Auth`]: 401, or the caller as `Principal` in the extensions, known by a credential or by a ticket;
//! 7. [`Expiry`]: streams end when the credential expires or is revoked;
//! 8. with [`push`](StackBuilder::push): the routes below `/push`, for the devices that the caller has notified;
//! 9. [`Lookup`]: 404, or the caller's session as `Resolved<SessionHandle>`;
//! 10. [`Resume`]: the session's stream, from any event that is still held;
//! 11. [`AgentService`]: everything else, within
//!     [`Limits::body_timeout`](crate::service::Limits::body_timeout) for a request's body and
//!     [`Limits::request_timeout`](crate::service::Limits::request_timeout) for its response; a stream has no
//!     time limit.
//!
//! A host that has its own tracing and request ids turns those of the stack off ([`StackBuilder::trace`],
//! [`StackBuilder::request_id`]) and puts its own layers around the stack. A
//! [`TicketLayer`](crate::layers::ticket::TicketLayer) must be outside of every layer that logs:
//!
//! ```
//! # use agent_webkit::agent::{AgentIo, SessionSpec};
//! use agent_webkit::{
//!     Stack,
//!     layers::{auth::Disabled, ticket::TicketLayer},
//!     service::Policy,
//!     stack::RequestSpan,
//! };
//! use tower::ServiceBuilder;
//! use tower_http::trace::{DefaultOnResponse, TraceLayer};
//! use tracing::Level;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = tower::service_fn(|_: SessionSpec| async { Err::<AgentIo, _>(std::io::Error::other("none")) });
//! let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).trace(false).build();
//! let access_log = TraceLayer::new_for_http()
//!     .make_span_with(RequestSpan::new())
//!     .on_response(DefaultOnResponse::new().level(Level::INFO));
//! let service = ServiceBuilder::new().layer(TicketLayer::new()).layer(access_log).service(stack);
//! # let list = http::Request::get("/sessions").body(String::new())?;
//! # assert_eq!(tower::ServiceExt::oneshot(service, list).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! Each is a plain `tower` layer. For another order, or without one of them, combine them with a
//! `tower::ServiceBuilder`.

mod answer;
mod builder;
mod cors;
mod openapi;
mod panic;
mod trace;

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower::{
    BoxError, Service, ServiceExt,
    util::{Either, Oneshot},
};
use tower_http::{
    catch_panic::CatchPanic,
    cors::Cors,
    request_id::{MakeRequestUuid, PropagateRequestId, SetRequestId},
    sensitive_headers::SetSensitiveRequestHeaders,
};

use crate::{
    agent::Agent,
    genui::GenUiService,
    layers::{
        auth::{AnyOf, Auth, Principal, Verify, expiry::Expiry},
        drain::Drain,
        lookup::Lookup,
        resume::{Attachment, EventLog, Resume, RingLog},
        ticket::{BoxTicketStore, TakeTicket, TicketVerifier},
    },
    service::{AgentService, Policy, Sessions, WatchedStream},
};

use self::openapi::Described;
pub use self::{
    answer::{ResponseBody, ResponseFuture},
    builder::StackBuilder,
    cors::cors_for,
    trace::RequestSpan,
};

/// The whole protocol as one service: authenticated, resumable, supervised.
///
/// It accepts any request body, answers every request and never fails. axum, tonic and hyper mount it as it
/// is; paths are relative to where it is mounted. Clones share their sessions.
///
/// ```
/// use agent_webkit::{Stack, layers::auth::StaticTokens, service::Policy};
/// # use agent_webkit::agent::{AgentIo, SessionSpec};
/// use http::{Request, StatusCode};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = tower::service_fn(|_: SessionSpec| async {
/// #     let (commands, _) = tokio::sync::mpsc::channel(1);
/// #     let (_, events) = tokio::sync::mpsc::channel(1);
/// #     Ok::<_, std::io::Error>(AgentIo { commands, events })
/// # });
/// let stack = Stack::builder(agent, Policy::new(["."])?)
///     .auth(StaticTokens::new(["s3cret"])?)
///     .build();
///
/// let list = Request::get("/sessions").header("authorization", "Bearer s3cret").body(String::new())?;
/// let answer = stack.clone().oneshot(list).await?;
/// assert_eq!(answer.status(), StatusCode::OK);
///
/// stack.sessions().shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Stack<A, V, L: EventLog = RingLog> {
    /// Shared, because hosts clone the stack for every connection.
    inner: Arc<Layers<A, V, L>>,
    sessions: Sessions<L>,
}

type Layers<A, V, L> = Drain<
    SetSensitiveRequestHeaders<
        TakeTicket<Numbered<trace::Traced<Shared<CatchPanic<Told<A, V, L>, panic::Answer>>>>>,
    >,
>;

#[cfg(feature = "webhooks")]
type Told<A, V, L> = Described<GenUiService<crate::webhooks::Approvals<Known<Notified<A, L>, V>, L>>>;
#[cfg(not(feature = "webhooks"))]
type Told<A, V, L> = Described<GenUiService<Known<Notified<A, L>, V>>>;

#[cfg(feature = "push")]
type Notified<A, L> = crate::push::PushService<Found<A, L>>;
#[cfg(not(feature = "push"))]
type Notified<A, L> = Found<A, L>;

type Numbered<S> = Either<SetRequestId<PropagateRequestId<S>, MakeRequestUuid>, S>;

type Shared<S> = Either<Cors<S>, S>;

type Known<S, V> = Auth<Expiry<S>, AnyOf<V, TicketVerifier<BoxTicketStore, fn(&Parts) -> Option<String>>>>;

type Found<A, L> =
    Lookup<Resume<AgentService<A, L>, FindStream<L>>, fn(&Parts) -> Option<String>, Sessions<L>>;

type FindStream<L> = fn(&Parts) -> Option<Attachment<WatchedStream<<L as EventLog>::Stream>>>;

impl<A: Agent> Stack<A, ()> {
    /// Starts a stack for this agent and policy. A stack cannot be built without a verifier: see
    /// [`StackBuilder::auth`].
    #[must_use]
    pub fn builder(agent: A, policy: Policy) -> StackBuilder<A, ()> {
        StackBuilder::new(agent, policy)
    }
}

impl<A, V, L: EventLog> Stack<A, V, L> {
    /// The running sessions, to list them and to end them all before the process ends.
    #[must_use]
    pub fn sessions(&self) -> &Sessions<L> {
        &self.sessions
    }
}

impl<A, V, L, B> Service<Request<B>> for Stack<A, V, L>
where
    A: Agent,
    V: Verify<Principal = Principal, Future: Send> + Clone,
    L: EventLog,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<Oneshot<Layers<A, V, L>, Request<B>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::new(Layers::clone(&self.inner).oneshot(request))
    }
}

impl<A, V, L: EventLog> Clone for Stack<A, V, L> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), sessions: self.sessions.clone() }
    }
}

impl<A, V, L: EventLog> fmt::Debug for Stack<A, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}
