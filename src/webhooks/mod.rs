//! Signed webhooks about prompts, results and errors, and links with which one permission request can be answered.
//!
//! A webhook is a `POST` with a JSON body, signed as [Standard Webhooks](https://www.standardwebhooks.com) describes it:
//! the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. There is one receiver for the whole server, and
//! one for each owner, who gets the events of that owner's sessions.
//!
//! With storage a webhook is stored together with its event, and sent at least once, whatever host dies: the id is the
//! same in each attempt. Without storage webhooks wait in memory and end with the process. A receiver that fails is tried
//! again with growing pauses, for [a day](Webhooks::retry_for).
//!
//! With a [public URL](Webhooks::public_url) the webhook of a `permission_request` has a link to a page that shows the
//! request and two buttons. Whoever has the link may answer this one prompt, without a further credential.
//!
//! ```
//! use agent_webkit::{
//!     Stack,
//!     layers::auth::Disabled,
//!     service::Policy,
//!     webhooks::{Endpoint, EventKind, Webhooks},
//! };
//! # use agent_webkit::agent::{AgentIo, SessionSpec};
//! use bytes::Bytes;
//! use http_body_util::Empty;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = tower::service_fn(|_: SessionSpec| async { Err::<AgentIo, _>(std::io::Error::other("none")) });
//! // Stands for an HTTP client.
//! let client = tower::service_fn(async |request: http::Request<_>| {
//!     println!("{:?}", request.headers()["webhook-id"]);
//!     Ok::<_, std::io::Error>(http::Response::new(Empty::<Bytes>::new()))
//! });
//! let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! let endpoint = Endpoint::new("https://hooks.example.com/agents", secret)?.events([EventKind::Prompts]);
//! let webhooks = Webhooks::new(client).server(endpoint).public_url("https://agents.example.com")?;
//! let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).webhooks(webhooks).build();
//! # drop(stack);
//! # Ok(())
//! # }
//! ```

mod approval;
pub(crate) mod attempt;
pub(crate) mod carrier;
mod courier;
mod endpoint;
mod future;
mod link;
pub(crate) mod message;
mod page;
mod rest;
mod secret;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower::{BoxError, Service};

pub(crate) use self::approval::ApprovalLayer;
pub use self::{
    approval::Approvals,
    endpoint::{Endpoint, EventKind, InvalidUrl, Owners},
    future::ResponseFuture,
    secret::{InvalidSecret, Secret},
};
use self::{
    attempt::HttpClient,
    carrier::{AnyCarrier, Hooks},
    courier::Courier,
    endpoint::Endpoints,
    link::Links,
};
use crate::{
    layers::resume::EventLog,
    service::{Sessions, notices::Notices},
    storage::{Outbox, outbox::MemoryRecords},
};

/// Default time for which a webhook is tried again.
const RETRY_FOR: Duration = Duration::from_secs(24 * 3600);

/// Default lifetime of a link.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);

/// The webhooks of a stack, for `StackBuilder::webhooks`. See the [module](self).
#[derive(Clone, Debug)]
pub struct Webhooks {
    client: HttpClient,
    links: Links,
    retry_for: Duration,
}

impl Webhooks {
    /// Webhooks without an endpoint, sent with this HTTP client, of whose answers only the head counts. It must not
    /// follow redirects. An attempt that takes longer than 10 s has failed.
    pub fn new<C, B>(client: C) -> Self
    where
        C: Service<
                Request<Full<Bytes>>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
        B: 'static,
    {
        let links = Links { endpoints: Endpoints::default(), public_url: None, lifetime: LINK_LIFETIME };
        Self { client: attempt::boxed(client), links, retry_for: RETRY_FOR }
    }

    /// Sets the endpoint that gets the events of all sessions.
    #[must_use]
    pub fn server(mut self, endpoint: Endpoint) -> Self {
        self.links.endpoints.server = Some(endpoint);
        self
    }

    /// Sets the endpoints of owners.
    #[must_use]
    pub fn owners(mut self, owners: Owners) -> Self {
        self.links.endpoints.owners = owners;
        self
    }

    /// Sets the URL at which browsers reach the stack. Without it webhooks have no links.
    ///
    /// # Errors
    /// It is not an absolute `http` or `https` URL, or it has a query or a user.
    pub fn public_url(mut self, url: &str) -> Result<Self, InvalidUrl> {
        let parsed: Uri = url.parse().map_err(|_| InvalidUrl)?;
        let authority = parsed.authority().ok_or(InvalidUrl)?;
        let is_http = matches!(parsed.scheme_str(), Some("http" | "https"));
        if !is_http || authority.as_str().contains('@') || parsed.query().is_some() {
            return Err(InvalidUrl);
        }
        self.links.public_url = Some(url.trim_end_matches('/').to_owned());
        Ok(self)
    }

    /// Sets the lifetime of links. Default: an hour.
    #[must_use]
    pub fn link_lifetime(mut self, lifetime: Duration) -> Self {
        self.links.lifetime = lifetime;
        self
    }

    /// Sets the age at which a webhook that was not received is given up. Default: a day.
    #[must_use]
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// The carrier of the webhooks, and the layer with the pages of the links.
    pub(crate) fn attach<L: EventLog>(self, sessions: &Sessions<L>) -> (AnyCarrier, ApprovalLayer<L>) {
        let Self { client, links, retry_for } = self;
        let pages = links.public_url.is_some().then(|| links.clone());
        (Arc::new(Hooks { links, client, retry_for }), ApprovalLayer::new(pages, sessions.clone()))
    }
}

/// Has the events of these sessions carried from now on. Without an outbox, messages wait in memory.
pub(crate) fn start<L: EventLog>(sessions: &Sessions<L>, outbox: Option<&Outbox>, carriers: Vec<AnyCarrier>) {
    if carriers.is_empty() {
        return;
    }
    let records = match outbox {
        Some(outbox) => Arc::clone(outbox.records()),
        None => Arc::new(MemoryRecords::default()),
    };
    let courier: Arc<dyn Notices> = Arc::new(Courier::new(carriers, records));
    sessions.set_notices(courier);
    // What was left by an earlier process is sent before any request. Without a runtime, the first request starts it.
    if tokio::runtime::Handle::try_current().is_ok() {
        sessions.start_tasks();
    }
}
