//! The credential of a client, renewed by a callback.

use std::{fmt, pin::Pin, sync::Arc};

use tokio::sync::Mutex;
use tower::BoxError;

use super::Error;
use crate::proto::client::Ticket;

/// What a client shows the server.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A token, sent in the header `Authorization`.
    Token(String),
    /// A ticket, sent in the URL. It opens the stream of its session, and nothing else.
    Ticket(String),
}

impl From<String> for Credential {
    fn from(token: String) -> Self {
        Self::Token(token)
    }
}

impl From<&str> for Credential {
    fn from(token: &str) -> Self {
        Self::Token(token.to_owned())
    }
}

impl From<Ticket> for Credential {
    fn from(ticket: Ticket) -> Self {
        Self::Ticket(ticket.ticket)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Ticket(_) => "Ticket(..)",
        })
    }
}

type Renewal = Pin<Box<dyn Future<Output = Result<Credential, BoxError>> + Send>>;

/// The credential that all clones of a client share.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    renew: Option<Arc<dyn Fn() -> Renewal + Send + Sync>>,
    current: Arc<Mutex<Option<Credential>>>,
}

impl Credentials {
    pub(super) fn fixed(credential: Credential) -> Self {
        Self { renew: None, current: Arc::new(Mutex::new(Some(credential))) }
    }

    pub(super) fn renewed<F, C>(renew: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<C, BoxError>> + Send + 'static,
        C: Into<Credential>,
    {
        let renew = move || -> Renewal {
            let renewal = renew();
            Box::pin(async move { Ok(renewal.await?.into()) })
        };
        Self { renew: Some(Arc::new(renew)), current: Arc::default() }
    }

    /// The current credential. The callback is called if there is none yet.
    pub(super) async fn current(&self) -> Result<Option<Credential>, Error> {
        let mut current = self.current.lock().await;
        if let (None, Some(renew)) = (&*current, &self.renew) {
            *current = Some(renew().await.map_err(Error::Credential)?);
        }
        Ok(current.clone())
    }

    /// Another credential than this one, which the server refused; `None` if there is no callback.
    ///
    /// Of several requests that were refused at the same time, one calls the callback.
    pub(super) async fn instead_of(&self, refused: Option<&Credential>) -> Result<Option<Credential>, Error> {
        let Some(renew) = &self.renew else { return Ok(None) };
        let mut current = self.current.lock().await;
        if current.as_ref() == refused {
            *current = None;
            *current = Some(renew().await.map_err(Error::Credential)?);
        }
        Ok(current.clone())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("renewed", &self.renew.is_some()).finish_non_exhaustive()
    }
}
