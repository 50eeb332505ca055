//! The pages of the links, in front of a stack.
//!
//! The token in the path is the whole credential: no cookie is read, so no other page can make a browser answer a prompt
//! that it does not know the link of. A `GET` only shows; what scans links in messages answers nothing.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tokio::time::timeout;
use tower::{BoxError, Layer, Service};

use super::{
    future::ResponseFuture,
    link::{Link, Links, PATH, Refused},
    message,
    page::{self, Asked, Place},
};
use crate::{
    layers::{reply::ResponseBody, resume::EventLog},
    service::{SessionError, SessionHandle, Sessions},
};

/// Maximum size of a form, in bytes, and maximum time to receive it.
const FORM: usize = 16 << 10;
const FORM_TIME: Duration = Duration::from_secs(10);

const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS, POST");

/// What the agent hears of a denial without a reason.
const DENIED: &str = "The user denied this.";

/// Answers the links. Put it outside of authentication.
pub(crate) struct ApprovalLayer<L: EventLog> {
    pages: Option<Arc<Pages<L>>>,
}

struct Pages<L: EventLog> {
    links: Links,
    sessions: Sessions<L>,
}

impl<L: EventLog> ApprovalLayer<L> {
    /// Without links every request reaches the inner service.
    pub(super) fn new(links: Option<Links>, sessions: Sessions<L>) -> Self {
        Self { pages: links.map(|links| Arc::new(Pages { links, sessions })) }
    }

    /// A layer that passes every request on.
    pub(crate) const fn off() -> Self {
        Self { pages: None }
    }
}

impl<S, L: EventLog> Layer<S> for ApprovalLayer<L> {
    type Service = Approvals<S, L>;

    fn layer(&self, inner: S) -> Approvals<S, L> {
        Approvals { inner, pages: self.pages.clone() }
    }
}

/// The service of the links: `/approve/{token}`. Every other request reaches the inner service.
pub struct Approvals<S, L: EventLog> {
    inner: S,
    pages: Option<Arc<Pages<L>>>,
}

impl<S, L, B, R> Service<Request<B>> for Approvals<S, L>
where
    S: Service<Request<B>, Response = Response<R>>,
    L: EventLog,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = self.pages.clone().filter(|_| request.uri().path().starts_with(PATH));
        match own {
            Some(pages) => ResponseFuture::own(async move { pages.answer(request).await }),
            None => ResponseFuture::inner(self.inner.call(request)),
        }
    }
}

impl<L: EventLog> Pages<L> {
    async fn answer<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let token = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
        let answer = match parts.method {
            Method::GET => self.show(token).await,
            Method::HEAD => {
                return self.show(token).await.unwrap_or_else(|page| page).map(|_| Bytes::new());
            }
            Method::POST => self.decide(token, body).await,
            Method::OPTIONS => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                return with_allow(response);
            }
            _ => {
                let text = "This page can be read, and its form can be sent.";
                return with_allow(page::sentence(StatusCode::METHOD_NOT_ALLOWED, "Not possible", text));
            }
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The question, or in its place why it cannot be answered.
    async fn show(&self, token: &str) -> Result<Response<Bytes>, Response<Bytes>> {
        let link = self.links.read(token).map_err(refused)?;
        let (_, asked, session) = self.asked(&link).await?;
        let expires_at = message::time(Duration::from_secs(link.expires_at));
        Ok(page::question(
            &asked,
            &Place {
                owner: link.owner.as_deref(),
                title: session.title.as_deref(),
                cwd: &session.cwd,
                session_id: &link.session_id,
                expires_at: &expires_at,
            },
        ))
    }

    async fn decide<B>(&self, token: &str, body: B) -> Result<Response<Bytes>, Response<Bytes>>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let link = self.links.read(token).map_err(refused)?;
        let form = Form::read(body).await.ok_or_else(|| {
            page::sentence(StatusCode::BAD_REQUEST, "Nothing was answered", "The form was not complete.")
        })?;
        let (handle, asked, _) = self.asked(&link).await?;
        let denial = (!form.is_allowed).then(|| form.reason.as_deref().unwrap_or(DENIED));
        let answered = handle.answer_by_link(&asked.correlation_id, denial).await;
        answered.map_err(|error| failed(&error))?;
        tracing::info!(session = link.session_id, allowed = form.is_allowed, "a link has answered a prompt");
        Ok(match form.is_allowed {
            true => page::sentence(StatusCode::OK, "Allowed", "The agent goes on. You can close this page."),
            false => page::sentence(StatusCode::OK, "Denied", "The agent was told. You can close this page."),
        })
    }

    /// The open prompt of a link, and its session.
    async fn asked(&self, link: &Link) -> Result<(SessionHandle<L>, Asked, Described), Response<Bytes>> {
        let found = self.sessions.find(&link.session_id, link.owner.as_deref()).await;
        let handle =
            found.and_then(|found| found.ok_or(SessionError::NotFound)).map_err(|error| failed(&error))?;
        let described = handle.describe().await.map_err(|error| failed(&error))?;
        let mut described: Described = serde_json::from_str(described.get()).unwrap_or_default();
        let is_it = |asked: &Asked| asked.is_permission() && asked.correlation_id == link.correlation_id;
        let asked = described.pending.iter().position(is_it).map(|at| described.pending.swap_remove(at));
        let asked = asked.ok_or_else(|| failed(&SessionError::Settled))?;
        Ok((handle, asked, described))
    }
}

/// What is needed of the description of a session.
#[derive(Debug, Default, Deserialize)]
struct Described {
    title: Option<String>,
    cwd: String,
    #[serde(default)]
    pending: Vec<Asked>,
}

struct Form {
    is_allowed: bool,
    reason: Option<String>,
}

impl Form {
    async fn read<B: Body<Data: Buf, Error: Into<BoxError>>>(body: B) -> Option<Self> {
        let whole = timeout(FORM_TIME, Limited::new(body, FORM).collect()).await.ok()?.ok()?.to_bytes();
        let (mut decision, mut reason) = (None, None);
        for (name, value) in form_urlencoded::parse(&whole) {
            match &*name {
                "decision" if decision.is_none() => decision = Some(value.into_owned()),
                "reason" if !value.trim().is_empty() => reason = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        match decision.as_deref() {
            Some("allow") => Some(Self { is_allowed: true, reason: None }),
            Some("deny") => Some(Self { is_allowed: false, reason }),
            _ => None,
        }
    }
}

fn with_allow(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(header::ALLOW, ALLOW);
    response
}

fn refused(refused: Refused) -> Response<Bytes> {
    match refused {
        Refused::Invalid => page::sentence(
            StatusCode::NOT_FOUND,
            "This link is not valid",
            "It is incomplete or was altered, or the server does not accept it any more.",
        ),
        Refused::Expired => page::sentence(
            StatusCode::GONE,
            "This link has expired",
            "The prompt may still be open: answer it in the session.",
        ),
    }
}

fn failed(error: &SessionError) -> Response<Bytes> {
    match error {
        SessionError::Settled => page::sentence(
            StatusCode::CONFLICT,
            "Already answered",
            "This prompt is no longer open: it was answered before, or the agent does not wait for it any more.",
        ),
        SessionError::NotFound => {
            page::sentence(StatusCode::GONE, "The session has ended", "There is nothing left to answer.")
        }
        SessionError::Denied(text) => page::sentence(StatusCode::FORBIDDEN, "Not allowed here", text),
        error => {
            let mut page = page::sentence(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not possible now",
                &format!("Nothing was answered: {error}. Load the page again."),
            );
            page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            page
        }
    }
}

impl<S: Clone, L: EventLog> Clone for Approvals<S, L> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), pages: self.pages.clone() }
    }
}

impl<S, L: EventLog> fmt::Debug for Approvals<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}
