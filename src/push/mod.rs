//! Web Push: notifications of prompts, results and errors on the devices of their owner, also while no page is open.
//!
//! A page asks its browser for a subscription, with the [key](ServerKey) of this server, and posts it. From then on the
//! events of the caller's sessions, and of nobody else's, are encrypted for this device and sent to its push service. The
//! [console](crate::console) does it; so can any page:
//!
//! | path | methods |
//! |---|---|
//! | `/push` | `GET` returns the server's public key |
//! | `/push/subscriptions` | `POST` adds a device, or renews it |
//! | `/push/subscriptions/{id}` | `DELETE` removes it |
//!
//! Notifications wait in the same outbox as webhooks: with storage they are stored together with their event, and sent by one
//! of the hosts. The server sends to [push services](PushServices) that it knows, and to nothing else, whatever a client
//! says.
//!
//! A subscription ends when the push service says so, when nobody has renewed it for 30 days, and when the credential that
//! has made it expires. If that is revoked, the host ends it that has accepted it; after a restart nobody does, until it
//! is renewed.
//!
//! ```
//! use agent_webkit::{Stack, layers::auth::Disabled, push::{Push, PushServices}, service::Policy};
//! # use agent_webkit::agent::{AgentIo, SessionSpec};
//! use bytes::Bytes;
//! use http_body_util::Empty;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = tower::service_fn(|_: SessionSpec| async { Err::<AgentIo, _>(std::io::Error::other("none")) });
//! // Stands for an HTTP client.
//! let client = tower::service_fn(async |request: http::Request<_>| {
//!     println!("{:?}", request.headers()["topic"]);
//!     Ok::<_, std::io::Error>(http::Response::new(Empty::<Bytes>::new()))
//! });
//! let push = Push::new(client, "mailto:ops@example.com")?;
//! let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).push(push).build();
//! # drop(stack);
//! # Ok(())
//! # }
//! ```

mod carrier;
mod devices;
mod encrypt;
mod notification;
mod routes;
mod services;
mod subscription;
mod vapid;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{BoxError, Service};

pub(crate) use self::routes::PushLayer;
use self::{carrier::Pushes, devices::Watched};
pub use self::{
    routes::{PushService, ResponseFuture},
    services::{InvalidService, PushServices},
    vapid::{InvalidKey, ServerKey},
};
use crate::{
    layers::resume::EventLog,
    service::Sessions,
    storage::{
        Persistence,
        catalog::{AnyCatalog, CatalogError},
        subscriptions::{AnyDevices, MemoryDevices},
    },
    webhooks::{
        attempt::{self, HttpClient},
        carrier::AnyCarrier,
    },
};

/// The notifications of a stack, for `StackBuilder::push`. See the [module](self).
#[derive(Clone, Debug)]
pub struct Push {
    client: HttpClient,
    contact: String,
    services: PushServices,
    key: Option<ServerKey>,
}

/// A text by which nobody can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contact of push services is mailto: and an address, or an https:// URL")]
pub struct InvalidContact;

impl Push {
    /// Notifications sent with this HTTP client, of whose answers only the head counts. It must not follow redirects.
    /// `contact` is where the operators of push services reach that of this server: `mailto:` and an address, or an `https`
    /// URL.
    ///
    /// # Errors
    /// The contact is something else.
    pub fn new<C, B>(client: C, contact: &str) -> Result<Self, InvalidContact>
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
        let is_address = contact.strip_prefix("mailto:").is_some_and(|address| address.contains('@'));
        let is_url = contact.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        if !(is_address || is_url) || contact.contains(|char: char| char.is_whitespace() || char.is_control())
        {
            return Err(InvalidContact);
        }
        let (contact, services) = (contact.to_owned(), PushServices::default());
        Ok(Self { client: attempt::boxed(client), contact, services, key: None })
    }

    /// Sets the push services that it sends to. Default: those of the common browsers.
    #[must_use]
    pub fn services(mut self, services: PushServices) -> Self {
        self.services = services;
        self
    }

    /// Sets the key by which push services know this server. Default: one that is generated and kept in the storage, for
    /// all hosts; without storage a new one for each start. With another key the devices must subscribe again, which the
    /// console does when it is opened.
    #[must_use]
    pub fn key(mut self, key: ServerKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The carrier of the notifications, and the layer with the routes.
    pub(crate) fn attach<L: EventLog>(
        self,
        sessions: &Sessions<L>,
        persistence: Option<&Persistence>,
    ) -> (AnyCarrier, PushLayer) {
        let devices = match persistence.and_then(|persistence| persistence.subscriptions.as_ref()) {
            Some(subscriptions) => Arc::clone(subscriptions.devices()),
            None => Arc::new(MemoryDevices::default()),
        };
        let catalog = persistence.map(|persistence| Arc::clone(&persistence.catalog));
        let shared = Arc::new(Shared {
            client: self.client,
            contact: self.contact,
            services: self.services,
            key: OnceCell::new_with(self.key),
            devices,
            catalog,
            watched: Watched::default(),
            tasks: sessions.tasks().clone(),
            ending: sessions.ending().clone(),
        });
        (Arc::new(Pushes(Arc::clone(&shared))), PushLayer::new(shared))
    }
}

/// What the carrier and the routes share.
struct Shared {
    client: HttpClient,
    contact: String,
    services: PushServices,
    key: OnceCell<ServerKey>,
    devices: AnyDevices,
    /// Where sessions are stored, if they are.
    catalog: Option<AnyCatalog>,
    watched: Watched,
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Shared {
    async fn key(&self) -> Result<&ServerKey, CatalogError> {
        let stored = async || {
            let key = self.devices.key(ServerKey::random()).await?;
            ServerKey::read(&key).map_err(|error| CatalogError::Unavailable(error.into()))
        };
        self.key.get_or_try_init(stored).await
    }
}
