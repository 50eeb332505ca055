//! A service that chooses the options of each agent.

use std::{fmt, sync::Arc};

use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use super::Options;
use crate::agent::SessionSpec;

/// A service that chooses the options of each agent that is started.
pub trait Factory:
    Service<SessionSpec, Response = Options, Error: Into<BoxError>, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Factory for T where
    T: Service<SessionSpec, Response = Options, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A factory chosen at run time.
#[derive(Clone)]
pub(crate) struct AnyFactory(Arc<BoxCloneSyncService<SessionSpec, Options, BoxError>>);

impl AnyFactory {
    pub(crate) fn new(factory: impl Factory) -> Self {
        Self(Arc::new(BoxCloneSyncService::new(factory.map_err(Into::into))))
    }

    pub(crate) async fn options_for(&self, spec: &SessionSpec) -> Result<Options, BoxError> {
        BoxCloneSyncService::clone(&self.0).oneshot(spec.clone()).await
    }
}

impl fmt::Debug for AnyFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyFactory").finish_non_exhaustive()
    }
}
