//! A policy of any type.

use std::{fmt, sync::Arc};

use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use super::{Ask, Verdict};
use crate::error_text::with_sources;

/// Looks at a call of a tool that may run without asking: `Deny` denies it, and `Pass` makes the agent ask.
pub(crate) type Guard = Arc<dyn Fn(&Ask) -> Option<Verdict> + Send + Sync>;

/// A policy whose errors pass the ask on.
#[derive(Clone)]
pub(crate) struct AnyPolicy(BoxCloneSyncService<Ask, Verdict, BoxError>);

impl AnyPolicy {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Ask, Response = Verdict, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }

    pub(crate) async fn decide(&self, ask: Ask) -> Verdict {
        self.0.clone().oneshot(ask).await.unwrap_or_else(|error| {
            tracing::warn!(error = with_sources(&*error), "a policy failed; the prompt is passed on");
            Verdict::Pass
        })
    }
}

impl fmt::Debug for AnyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyPolicy").finish_non_exhaustive()
    }
}
