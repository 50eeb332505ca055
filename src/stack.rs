//! The recommended order of the layers, in one value.
//!
//! From the outside in:
//!
//! 1. catch-panic and trace, of `tower-http`; before the trace the `Authorization` header is marked as
//!    sensitive and a ticket is taken out of the URL ([`TakeTicket`]);
//! 2. [`Auth`]: 401, or the caller as `Principal` in the extensions, known by a credential or by a ticket;
//! 3. [`Expiry`]: streams end with the credential;
//! 4. [`Lookup`]: 404, or the caller's session as `Resolved<SessionHandle>`;
//! 5. [`Resume`]: the session's stream, at any event that is still held;
//! 6. [`AgentService`]: everything else.
//!
//! Each is a plain `tower` layer: for another order, or without one of them, put them together by hand with
//! a `tower::ServiceBuilder`.

use std::{
    any::Any,
    borrow::Cow,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::{
    body::UnsyncBoxBody,
    catch_panic::{CatchPanic, CatchPanicLayer},
    classify::{ServerErrorsAsFailures, SharedClassifier},
    sensitive_headers::{SetSensitiveRequestHeaders, SetSensitiveRequestHeadersLayer},
    trace::{DefaultOnFailure, Trace, TraceLayer},
};
use tracing::Level;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::storage::{AnyLog, Storage};
use crate::{
    agent::Agent,
    layers::{
        auth::{
            AnyOf, Auth, AuthLayer, Principal, Verify,
            expiry::{Expiry, ExpiryLayer},
        },
        lookup::{Lookup, LookupLayer, Resolved},
        resume::{Attach, Attachment, EventLog, Resume, ResumeLayer, RingLog},
        ticket::{MemoryStore, TakeTicket, TicketLayer, TicketVerifier},
    },
    service::{
        AgentService, Limits, Persistence, Policy, READ, SessionHandle, Sessions, session_id, session_state,
        ticket_resource,
    },
};

/// The whole protocol as one service: authenticated, resumable, supervised.
///
/// It takes any request body, answers every request and never fails. axum, tonic and hyper mount it as it
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
    inner: Layers<A, V, L>,
    sessions: Sessions<L>,
}

type Layers<A, V, L> =
    SetSensitiveRequestHeaders<CatchPanic<TakeTicket<Traced<Known<Found<A, L>, V>>>, AnswerPanic>>;

type AnswerPanic = fn(Box<dyn Any + Send>) -> Response<Full<Bytes>>;

type Traced<S> = Trace<S, SharedClassifier<ServerErrorsAsFailures>>;

type Known<S, V> = Auth<Expiry<S>, AnyOf<V, TicketVerifier<MemoryStore, fn(&Parts) -> Option<String>>>>;

type Found<A, L> =
    Lookup<Resume<AgentService<A, L>, Attach<FindStream<L>>>, fn(&Parts) -> Option<String>, Sessions<L>>;

type FindStream<L> = fn(&Parts) -> Option<Attachment<<L as EventLog>::Stream>>;

impl<A: Agent> Stack<A, ()> {
    /// Sessions of this agent, within this policy. There is no stack without a choice of who is let in:
    /// [`StackBuilder::auth`].
    #[must_use]
    pub fn builder(agent: A, policy: Policy) -> StackBuilder<A, ()> {
        StackBuilder {
            agent,
            policy,
            verifier: (),
            log: RingLog::default(),
            persistence: None,
            limits: Limits::default(),
            keepalive: Duration::from_secs(15),
        }
    }
}

impl<A, V, L: EventLog> Stack<A, V, L> {
    /// The running sessions: to list them, and to end them all before the process ends.
    #[must_use]
    pub fn sessions(&self) -> &Sessions<L> {
        &self.sessions
    }
}

/// Chooses the parts of a [`Stack`].
#[derive(Clone)]
pub struct StackBuilder<A, V, L = RingLog> {
    agent: A,
    policy: Policy,
    verifier: V,
    log: L,
    persistence: Option<Persistence>,
    limits: Limits,
    keepalive: Duration,
}

impl<A, V, L> StackBuilder<A, V, L> {
    /// Who is let in: tokens, a verifier of your own, or
    /// [`Disabled`](crate::layers::auth::Disabled) to let everybody in.
    #[must_use]
    pub fn auth<W: Verify>(self, verifier: W) -> StackBuilder<A, W, L> {
        let Self { agent, policy, verifier: _, log, persistence, limits, keepalive } = self;
        StackBuilder { agent, policy, verifier, log, persistence, limits, keepalive }
    }

    /// Where events are kept. By default in memory, the last 1000 of each session; they end with the process.
    #[must_use]
    pub fn log<M: EventLog>(self, log: M) -> StackBuilder<A, V, M> {
        let Self { agent, policy, verifier, log: _, persistence, limits, keepalive } = self;
        StackBuilder { agent, policy, verifier, log, persistence, limits, keepalive }
    }

    /// Lets sessions outlive the process: their rows and transcripts. The log must be a durable one, and
    /// the agents must keep what they remember in the same transcript store.
    #[must_use]
    pub fn persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = Some(persistence);
        self
    }

    /// Keeps everything of the sessions in this storage. The agents must be given its
    /// [`transcripts`](Storage::transcripts) too.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[must_use]
    pub fn storage(self, storage: &Storage) -> StackBuilder<A, V, AnyLog> {
        self.log(storage.log().clone().into()).persistence(storage.persistence())
    }

    /// What clients may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A stream that was silent for so long gets a comment. By default 15 s.
    #[must_use]
    pub fn keepalive(mut self, silence: Duration) -> Self {
        self.keepalive = silence;
        self
    }

    /// The stack.
    #[must_use]
    pub fn build(self) -> Stack<A, V, L>
    where
        A: Agent,
        V: Verify + Clone,
        L: EventLog,
    {
        let core = match self.persistence {
            Some(kept) => AgentService::persistent(self.agent, self.log, self.policy, self.limits, kept),
            None => AgentService::new(self.agent, self.log, self.policy, self.limits),
        };
        let sessions = core.sessions().clone();
        let id: fn(&Parts) -> Option<String> = session_id;
        let ticket_for: fn(&Parts) -> Option<String> = ticket_resource;
        let verifier = AnyOf::new(self.verifier, core.tickets().verifier(ticket_for));
        let inner = ServiceBuilder::new()
            .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
            .layer(CatchPanicLayer::custom(answer_panic as AnswerPanic))
            .layer(TicketLayer::new())
            // A 503 to a client that is too fast is nothing that an operator must act on.
            .layer(TraceLayer::new_for_http().on_failure(DefaultOnFailure::new().level(Level::WARN)))
            .layer(AuthLayer::new(verifier))
            .layer(ExpiryLayer::new())
            .layer(LookupLayer::new(id, sessions.clone()).not_found("there is no such session"))
            .layer(ResumeLayer::attach(find_stream::<L> as FindStream<L>).keepalive(self.keepalive))
            .service(core);
        Stack { inner, sessions }
    }
}

/// The stream that a request asks for: that of the session which the lookup has found.
fn find_stream<L: EventLog>(request: &Parts) -> Option<Attachment<L::Stream>> {
    if !request.uri.path().ends_with("/stream") {
        return None;
    }
    // Who may not read gets the service's own answer.
    if request.extensions.get::<Principal>().is_some_and(|caller| !caller.scopes.allow(READ)) {
        return None;
    }
    let Resolved(session) = request.extensions.get::<Resolved<SessionHandle<L>>>()?;
    Some(Attachment::new(session.stream().clone()).state(session_state))
}

impl<A, V, L, B> Service<Request<B>> for Stack<A, V, L>
where
    A: Agent,
    V: Verify<Future: Send> + Clone,
    L: EventLog,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture<<Layers<A, V, L> as Service<Request<B>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The answer of a [`Stack`], from the future `F` of its layers.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<Erased>, Infallible>>,
{
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_ok(|response| response.map(|inner| ResponseBody { inner }))
    }
}

type Erased = UnsyncBoxBody<Bytes, BoxError>;

pin_project! {
    /// The body of a [`Stack`]'s answers.
    pub struct ResponseBody {
        #[pin]
        inner: Erased,
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A bug of ours is a 500 like any other answer.
fn answer_panic(panic: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    let text = panic.downcast::<String>().map_or_else(
        |panic| panic.downcast::<&str>().map_or("no text".into(), |text| Cow::Borrowed(*text)),
        |text| Cow::Owned(*text),
    );
    tracing::error!(panic = %text, "a request made the service panic");
    let mut response = Response::new(Full::from(r#"{"detail":"the server made a mistake"}"#));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl<A: Clone, V: Clone, L: EventLog> Clone for Stack<A, V, L> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), sessions: self.sessions.clone() }
    }
}

impl<A, V, L: EventLog> fmt::Debug for Stack<A, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl<A, V, L> fmt::Debug for StackBuilder<A, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackBuilder")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
