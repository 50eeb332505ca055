//! The builder of a stack, which puts the layers in order.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, header, request::Parts};
use tower::{ServiceBuilder, util::option_layer};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};

use super::{FindStream, Stack, openapi::DescribeLayer, panic, trace};
#[cfg(feature = "push")]
use crate::push::{Push, PushLayer};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::storage::{Storage, events::AnyLog};
#[cfg(feature = "webhooks")]
use crate::webhooks::{self, ApprovalLayer, Webhooks};
use crate::{
    agent::Agent,
    genui::{GenUi, GenUiLayer},
    layers::{
        auth::{AnyOf, AuthLayer, Principal, Verify, expiry::ExpiryLayer},
        drain::DrainLayer,
        lookup::LookupLayer,
        resume::{EventLog, ResumeLayer, RingLog},
        ticket::TicketLayer,
    },
    service::{AgentService, Limits, Policy, find_stream, session_id, ticket_resource},
    storage::Persistence,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Builds a [`Stack`].
#[derive(Clone)]
pub struct StackBuilder<A, V, L = RingLog> {
    agent: A,
    policy: Policy,
    verifier: V,
    log: L,
    persistence: Option<Persistence>,
    limits: Limits,
    /// Overrides the keepalive of the limits, in whichever order the two are set.
    keepalive: Option<Duration>,
    around: Around,
    #[cfg(feature = "webhooks")]
    webhooks: Option<Webhooks>,
    #[cfg(feature = "push")]
    push: Option<Push>,
}

/// The layers around the protocol.
#[derive(Clone)]
struct Around {
    trace: bool,
    request_id: bool,
    cors: Option<CorsLayer>,
    genui: GenUi,
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
            keepalive: None,
            around: Around { trace: true, request_id: true, cors: None, genui: GenUi::new() },
            #[cfg(feature = "webhooks")]
            webhooks: None,
            #[cfg(feature = "push")]
            push: None,
        }
    }
}

impl<A, V, L> StackBuilder<A, V, L> {
    /// Sets the verifier of requests: tokens, your own verifier, or
    /// [`Disabled`](crate::layers::auth::Disabled) to accept every request.
    #[must_use]
    pub fn auth<W: Verify<Principal = Principal>>(self, verifier: W) -> StackBuilder<A, W, L> {
        StackBuilder {
            agent: self.agent,
            policy: self.policy,
            verifier,
            log: self.log,
            persistence: self.persistence,
            limits: self.limits,
            keepalive: self.keepalive,
            around: self.around,
            #[cfg(feature = "webhooks")]
            webhooks: self.webhooks,
            #[cfg(feature = "push")]
            push: self.push,
        }
    }

    /// Sets the event log. The default keeps the last 1000 events of each session in memory.
    #[must_use]
    pub fn log<M: EventLog>(self, log: M) -> StackBuilder<A, V, M> {
        StackBuilder {
            agent: self.agent,
            policy: self.policy,
            verifier: self.verifier,
            log,
            persistence: self.persistence,
            limits: self.limits,
            keepalive: self.keepalive,
            around: self.around,
            #[cfg(feature = "webhooks")]
            webhooks: self.webhooks,
            #[cfg(feature = "push")]
            push: self.push,
        }
    }

    /// Keeps sessions in this session catalog and transcript store, so that they outlive the process. The
    /// event log must be durable.
    #[must_use]
    pub fn persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = Some(persistence);
        self
    }

    /// Keeps sessions in this storage: catalog, events and transcripts. Agents find the transcript store in
    /// their [`SessionSpec`](crate::agent::SessionSpec), so nothing else has to be wired.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[must_use]
    pub fn storage(self, storage: &Storage) -> StackBuilder<A, V, AnyLog> {
        self.log(storage.log().clone().into()).persistence(storage.persistence())
    }

    /// Sets the limits on what clients may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the silence on a stream before a keepalive comment is sent. Default 15 s.
    #[must_use]
    pub fn keepalive(mut self, silence: Duration) -> Self {
        self.keepalive = Some(silence);
        self
    }

    /// Lets pages of other origins use the server from a browser. By default they cannot.
    /// [`cors_for`](super::cors_for) makes a layer that allows what the protocol needs.
    ///
    /// With this layer every `OPTIONS` request is answered as a preflight, without an `Allow` header.
    #[must_use]
    pub fn cors(mut self, cors: impl Into<Option<CorsLayer>>) -> Self {
        self.around.cors = cors.into();
        self
    }

    /// Adds the route `GET /genui/schema`, which needs no token, with these components. The agents have to be given their
    /// tools, as `Claude::genui` does.
    #[must_use]
    pub fn genui(mut self, genui: GenUi) -> Self {
        self.around.genui = genui;
        self
    }

    /// Sends webhooks about the events of sessions, and adds the pages of their links, which need no token. With storage
    /// the webhooks outlive the process.
    #[cfg(feature = "webhooks")]
    #[must_use]
    pub fn webhooks(mut self, webhooks: impl Into<Option<Webhooks>>) -> Self {
        self.webhooks = webhooks.into();
        self
    }

    /// Sends notifications to the devices on which people have turned them on, and adds the routes below `/push`. With
    /// storage the subscriptions and the notifications that wait outlive the process.
    #[cfg(feature = "push")]
    #[must_use]
    pub fn push(mut self, push: impl Into<Option<Push>>) -> Self {
        self.push = push.into();
        self
    }

    /// Sets whether each request gets a span and its outcome is logged. Default true. A host with its own
    /// tracing turns this off, see the [module](super).
    #[must_use]
    pub fn trace(mut self, trace: bool) -> Self {
        self.around.trace = trace;
        self
    }

    /// Sets whether requests without an `x-request-id` get one and responses repeat it. Default true. An id
    /// that a proxy or an outer layer has set is kept.
    #[must_use]
    pub fn request_id(mut self, request_id: bool) -> Self {
        self.around.request_id = request_id;
        self
    }

    /// Builds the stack.
    #[must_use]
    pub fn build(self) -> Stack<A, V, L>
    where
        A: Agent,
        V: Verify<Principal = Principal> + Clone,
        L: EventLog,
    {
        let keepalive = self.keepalive.unwrap_or(self.limits.keepalive);
        let limits = self.limits.keepalive(keepalive);
        #[cfg(feature = "webhooks")]
        let outbox = self.persistence.as_ref().and_then(|persistence| persistence.outbox.clone());
        #[cfg(feature = "push")]
        let persistence = self.persistence.clone();
        let core = match self.persistence {
            Some(persistence) => {
                AgentService::persistent(self.agent, self.log, self.policy, limits, persistence)
            }
            None => AgentService::new(self.agent, self.log, self.policy, limits),
        };
        let sessions = core.sessions().clone();
        #[cfg(feature = "webhooks")]
        let (carrier, approvals) = match self.webhooks.map(|webhooks| webhooks.attach(&sessions)) {
            Some((carrier, approvals)) => (Some(carrier), approvals),
            None => (None, ApprovalLayer::off()),
        };
        #[cfg(not(feature = "webhooks"))]
        let approvals = tower::layer::util::Identity::new();
        #[cfg(feature = "push")]
        let (pushes, push) = match self.push.map(|push| push.attach(&sessions, persistence.as_ref())) {
            Some((carrier, push)) => (Some(carrier), push),
            None => (None, PushLayer::off()),
        };
        #[cfg(not(feature = "push"))]
        let push = tower::layer::util::Identity::new();
        #[cfg(all(feature = "webhooks", not(feature = "push")))]
        let pushes = None;
        #[cfg(feature = "webhooks")]
        webhooks::start(&sessions, outbox.as_ref(), carrier.into_iter().chain(pushes).collect());
        let id: fn(&Parts) -> Option<String> = session_id;
        let ticket_for: fn(&Parts) -> Option<String> = ticket_resource;
        let verifier = AnyOf::new(self.verifier, core.tickets().verifier(ticket_for));
        let Around { trace, request_id, cors, genui } = self.around;
        let numbers = request_id.then(|| {
            let set = SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid);
            (set, PropagateRequestIdLayer::new(X_REQUEST_ID))
        });
        let inner = ServiceBuilder::new()
            .layer(DrainLayer::new())
            // Outside the trace layer, so that no credential reaches the log.
            .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
            .layer(TicketLayer::new())
            // Outside the trace layer, so that the span has the request id.
            .layer(option_layer(numbers))
            .layer(trace::layer(trace))
            // Outside auth, because a preflight has no credentials.
            .layer(option_layer(cors))
            // Inside the trace layer, which logs the panic's 500.
            .layer(CatchPanicLayer::custom(panic::answer as panic::Answer))
            // Outside auth, because a description is no secret.
            .layer(DescribeLayer)
            // Outside auth: the components are no secret.
            .layer(GenUiLayer::new(&genui))
            // Outside auth: the token of a link is a credential of its own.
            .layer(approvals)
            .layer(AuthLayer::new(verifier))
            // Inside auth: streams end when the principal's credential expires.
            .layer(ExpiryLayer::new())
            // Inside auth: a device is its owner's.
            .layer(push)
            // Inside auth, because it finds only the caller's sessions.
            .layer(LookupLayer::new(id, sessions.clone()).not_found("there is no such session"))
            .layer(ResumeLayer::attach(find_stream::<L> as FindStream<L>).keepalive(keepalive))
            .service(core);
        Stack { inner: Arc::new(inner), sessions }
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
