//! The parts of a stack, and how they are put together.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, header, request::Parts};
use tower::{ServiceBuilder, util::option_layer};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};

use super::{FindStream, Stack, WatchedStream, panic, trace, watched};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::storage::{Storage, events::AnyLog};
use crate::{
    agent::Agent,
    layers::{
        auth::{AnyOf, AuthLayer, Principal, Verify, expiry::ExpiryLayer},
        lookup::{LookupLayer, Resolved},
        resume::{Attachment, EventLog, ResumeLayer, RingLog},
        ticket::TicketLayer,
    },
    service::{
        AgentService, Limits, Policy, READ, SessionHandle, session_id, session_state, ticket_resource,
    },
    storage::Persistence,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    around: Around,
}

/// The stock parts.
#[derive(Clone)]
struct Around {
    trace: bool,
    request_id: bool,
    cors: Option<CorsLayer>,
}

impl<A> StackBuilder<A, ()> {
    pub(super) fn new(agent: A, policy: Policy) -> Self {
        Self {
            agent,
            policy,
            verifier: (),
            log: RingLog::default(),
            persistence: None,
            limits: Limits::default(),
            keepalive: Duration::from_secs(15),
            around: Around { trace: true, request_id: true, cors: None },
        }
    }
}

impl<A, V, L> StackBuilder<A, V, L> {
    /// Who is let in: tokens, a verifier of your own, or
    /// [`Disabled`](crate::layers::auth::Disabled) to let everybody in.
    #[must_use]
    pub fn auth<W: Verify>(self, verifier: W) -> StackBuilder<A, W, L> {
        let Self { agent, policy, verifier: _, log, persistence, limits, keepalive, around } = self;
        StackBuilder { agent, policy, verifier, log, persistence, limits, keepalive, around }
    }

    /// Where events are kept. By default in memory, the last 1000 of each session; they end with the process.
    #[must_use]
    pub fn log<M: EventLog>(self, log: M) -> StackBuilder<A, V, M> {
        let Self { agent, policy, verifier, log: _, persistence, limits, keepalive, around } = self;
        StackBuilder { agent, policy, verifier, log, persistence, limits, keepalive, around }
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

    /// Lets pages of other origins use the server from a browser. By default they may not.
    /// [`cors_for`](super::cors_for) makes a layer that allows what the protocol needs.
    ///
    /// With it every `OPTIONS` is answered as a preflight, and none with `Allow`.
    #[must_use]
    pub fn cors(mut self, cors: impl Into<Option<CorsLayer>>) -> Self {
        self.around.cors = cors.into();
        self
    }

    /// Whether each request gets a span and its outcome is logged. By default it is so; a host that traces for
    /// itself says no: see the [module](super).
    #[must_use]
    pub fn trace(mut self, trace: bool) -> Self {
        self.around.trace = trace;
        self
    }

    /// Whether requests without an `x-request-id` get one, and answers tell it. By default it is so. An id that
    /// the request has already is kept: a proxy, or a layer around the stack, chooses its own.
    #[must_use]
    pub fn request_id(mut self, request_id: bool) -> Self {
        self.around.request_id = request_id;
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
        let Around { trace, request_id, cors } = self.around;
        let numbers = request_id.then(|| {
            let set = SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid);
            (set, PropagateRequestIdLayer::new(X_REQUEST_ID))
        });
        let inner = ServiceBuilder::new()
            .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
            .layer(TicketLayer::new())
            .layer(option_layer(numbers))
            .layer(trace::layer(trace))
            .layer(option_layer(cors))
            .layer(CatchPanicLayer::custom(panic::answer as panic::Answer))
            .layer(AuthLayer::new(verifier))
            .layer(ExpiryLayer::new())
            .layer(LookupLayer::new(id, sessions.clone()).not_found("there is no such session"))
            .layer(ResumeLayer::attach(find_stream::<L> as FindStream<L>).keepalive(self.keepalive))
            .service(core);
        Stack { inner: Arc::new(inner), sessions }
    }
}

/// The stream that a request asks for: that of the session which the lookup has found.
fn find_stream<L: EventLog>(request: &Parts) -> Option<Attachment<WatchedStream<L::Stream>>> {
    if !request.uri.path().ends_with("/stream") {
        return None;
    }
    // Who may not read gets the service's own answer.
    if request.extensions.get::<Principal>().is_some_and(|caller| !caller.scopes.allow(READ)) {
        return None;
    }
    let Resolved(session) = request.extensions.get::<Resolved<SessionHandle<L>>>()?;
    watched::count_malformed(request);
    Some(Attachment::new(WatchedStream::new(session.stream().clone())).state(session_state))
}

impl<A, V, L> fmt::Debug for StackBuilder<A, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackBuilder")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
