//! The service, which handles each route.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use tokio::time::timeout;
use tower::{BoxError, Service};

use super::{
    body, create,
    failure::Failure,
    input, list, looks, reply,
    route::Route,
    scope::{Caller, DRIVE, READ},
    stream, ticket,
};
use crate::{
    agent::Agent,
    layers::{
        lookup::Resolved,
        reply::ResponseBody,
        resume::{EventLog, EventStream, Follow, RingLog},
        ticket::{BoxTicketStore, MemoryStore, Tickets},
    },
    service::{
        error::SessionError,
        handle::{SessionHandle, Wait},
        limits::Limits,
        policy::Policy,
        registry::{agents::Agents, sessions::Sessions, warm::Warm},
        session::watched::WatchedTail,
    },
    storage::persistence::Persistence,
};

/// The events of one reader, as a response body.
pub type Events<L> = Follow<WatchedTail<<<L as EventLog>::Stream as EventStream>::Tail>>;

/// The agent-webkit protocol over an [`Agent`], as a [`tower::Service`] (`docs/protocol.md`, Routes).
///
/// It accepts any request body, answers every request, and never fails. Paths are relative to where it is
/// mounted. It does not authenticate callers: put the layers around it, or use a [`Stack`](crate::Stack),
/// which has them all.
///
/// - A [`Principal`](crate::layers::auth::Principal) in the request's extensions owns the sessions that it
///   creates, sees no others, and may do what its scopes allow.
/// - A `Resolved<SessionHandle>` in the request's extensions replaces the lookup of the id.
///
/// Clones share their sessions.
///
/// ```
/// use agent_webkit::{
///     layers::resume::RingLog,
///     service::{AgentService, Limits, Policy},
/// };
/// use http::{Request, StatusCode};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = tower::service_fn(|_: agent_webkit::agent::SessionSpec| async {
/// #     let (commands, _) = tokio::sync::mpsc::channel(1);
/// #     let (_, events) = tokio::sync::mpsc::channel(1);
/// #     Ok::<_, std::io::Error>(agent_webkit::agent::AgentIo { commands, events })
/// # });
/// let core = AgentService::new(agent, RingLog::default(), Policy::new(["."])?, Limits::default());
/// let made = core.clone().oneshot(Request::post("/sessions").body(String::new())?).await?;
/// assert_eq!(made.status(), StatusCode::OK);
/// assert_eq!(core.sessions().len(), 1);
/// # core.sessions().shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct AgentService<A, L: EventLog = RingLog> {
    shared: Arc<Shared<L>>,
    agent: PhantomData<fn() -> A>,
}

struct Shared<L: EventLog> {
    sessions: Sessions<L>,
    tickets: Tickets<BoxTicketStore>,
}

impl<A: Agent, L: EventLog> AgentService<A, L> {
    /// Creates a service for this agent, with its events in `log`. Its sessions end with the process.
    pub fn new(agent: A, log: L, policy: Policy, limits: Limits) -> Self {
        Self::build(agent, log, policy, limits, None)
    }

    /// Creates a service whose sessions outlive the process. `log` must be durable, and the agents must keep
    /// their transcripts in the transcript store of `persistence`.
    pub fn persistent(agent: A, log: L, policy: Policy, limits: Limits, persistence: Persistence) -> Self {
        Self::build(agent, log, policy, limits, Some(persistence))
    }

    fn build(agent: A, log: L, policy: Policy, limits: Limits, persistence: Option<Persistence>) -> Self {
        let ticket_store = match &persistence {
            Some(persistence) => persistence.tickets.clone(),
            None => BoxTicketStore::new(MemoryStore::default()),
        };
        let tickets = Tickets::new(ticket_store).lifetime(limits.ticket_lifetime);
        let sessions = Sessions::new(log, policy, limits, persistence);
        let warm = Warm::new(agent.clone(), &sessions, sessions.limits());
        sessions.set_starter(Agents::new(agent, warm));
        // Without a runtime, the tasks start with the first request.
        if tokio::runtime::Handle::try_current().is_ok() {
            sessions.start_tasks();
        }
        Self { shared: Arc::new(Shared { sessions, tickets }), agent: PhantomData }
    }
}

impl<A, L: EventLog> AgentService<A, L> {
    /// The running sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions<L> {
        &self.shared.sessions
    }

    /// The tickets that were issued, from which to make their verifier.
    #[must_use]
    pub fn tickets(&self) -> &Tickets<BoxTicketStore> {
        &self.shared.tickets
    }
}

impl<A: Agent, L: EventLog> AgentService<A, L> {
    async fn answer<B>(self, request: Request<B>) -> Response<ResponseBody<Events<L>>>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let patience = self.shared.sessions.limits().request_timeout;
        let answer = timeout(patience, self.dispatch(&parts, body)).await;
        match answer.unwrap_or_else(|_| Err(SessionError::unavailable("the answer took too long").into())) {
            Ok(response) if head => response.map(|_| ResponseBody::empty()),
            Ok(response) => response,
            Err(failure) => failure.into_response(head),
        }
    }

    async fn dispatch<B>(self, parts: &Parts, body: B) -> Result<Response<ResponseBody<Events<L>>>, Failure>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let Shared { sessions, tickets } = &*self.shared;
        let limits = sessions.limits();
        let wait = Wait::new(limits);
        sessions.start_tasks();
        let caller = Caller::of(&parts.extensions);
        let route = Route::parse(parts.uri.path()).ok_or_else(Failure::unknown_path)?;
        // The session is looked up before the scope is checked: a session of another owner is a 404, never a
        // 403.
        match (&parts.method, route) {
            (&Method::OPTIONS, _) => Ok(reply::options(route.allow())),
            (&Method::POST, Route::Sessions) => {
                caller.must(DRIVE)?;
                let body = body::read(&parts.headers, body, limits).await?;
                create::create(&body, caller, sessions).await
            }
            (&Method::GET | &Method::HEAD, Route::Sessions) => {
                caller.must(READ)?;
                list::list(sessions, caller.name(), &parts.uri).await
            }
            (&Method::DELETE, Route::Session(id)) => {
                caller.must(DRIVE)?;
                sessions.remove(id, caller.name()).await?;
                Ok(reply::no_content())
            }
            (&Method::GET | &Method::HEAD, Route::Session(id)) => {
                let session = self.session(parts, id).await?;
                caller.must(READ)?;
                Ok(reply::json(StatusCode::OK, &session.describe().await?))
            }
            (&Method::GET | &Method::HEAD, Route::Stream(id)) => {
                let session = self.session(parts, id).await?;
                caller.must(READ)?;
                Ok(stream::attach(parts, &session).answer(parts, Some(limits.keepalive)).await)
            }
            (&Method::GET | &Method::HEAD, Route::Look(id, look)) => {
                let session = self.session(parts, id).await?;
                caller.must(READ)?;
                looks::look(&session, look).await
            }
            (&Method::GET | &Method::HEAD, Route::Files(id)) => {
                let session = self.session(parts, id).await?;
                caller.must(READ)?;
                looks::files(&session, &parts.uri).await
            }
            (&Method::POST, Route::Input(id)) => {
                let session = self.session(parts, id).await?;
                caller.must_send_something()?;
                let body = body::read(&parts.headers, body, limits).await?;
                input::take(&parts.headers, body, caller, &session, &wait).await?;
                Ok(reply::no_content())
            }
            (&Method::POST, Route::Tickets(id)) => {
                let session = self.session(parts, id).await?;
                caller.must(READ)?;
                ticket::issue(tickets, caller, session.id()).await
            }
            _ => Err(Failure::method(route.allow())),
        }
    }

    /// Returns the session that a lookup layer has found, or else the caller's session with this id.
    async fn session(&self, parts: &Parts, id: &str) -> Result<SessionHandle<L>, Failure> {
        match parts.extensions.get::<Resolved<SessionHandle<L>>>() {
            Some(Resolved(session)) => Ok(session.clone()),
            None => {
                let found = self.shared.sessions.find(id, Caller::of(&parts.extensions).name()).await?;
                found.ok_or_else(|| SessionError::NotFound.into())
            }
        }
    }
}

impl<A, L: EventLog> Clone for AgentService<A, L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), agent: PhantomData }
    }
}

impl<A, L: EventLog> fmt::Debug for AgentService<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentService").field("sessions", self.sessions()).finish_non_exhaustive()
    }
}

impl<A, L, B> Service<Request<B>> for AgentService<A, L>
where
    A: Agent,
    L: EventLog,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<Events<L>>>;
    type Error = Infallible;
    type Future = ResponseFuture<ResponseBody<Events<L>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { answer: Box::pin(self.clone().answer(request)) }
    }
}

/// The response future of an [`AgentService`], with the body `B`.
pub struct ResponseFuture<B> {
    answer: Pin<Box<dyn Future<Output = Response<B>> + Send>>,
}

impl<B> Future for ResponseFuture<B> {
    type Output = Result<Response<B>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map(Ok)
    }
}

impl<B> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
