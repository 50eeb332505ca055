use std::sync::Arc;

use http::{HeaderValue, Uri};

use super::Denied;
use crate::reply::{Refusal, Renderer};

/// What becomes of a request that the verifier denies.
#[derive(Clone)]
pub(super) struct Answers {
    /// Whether a request without a credential passes.
    pub(super) optional: bool,
    /// The parameter `resource_metadata` of every challenge.
    metadata: Option<Arc<str>>,
    pub(super) renderer: Renderer,
}

impl Answers {
    pub(super) const DEFAULT: Self = Self { optional: false, metadata: None, renderer: Renderer::JSON };

    pub(super) fn set_metadata(&mut self, url: &Uri) {
        // Neither can be part of a quoted string as it is.
        let url = url.to_string().replace('"', "%22").replace('\\', "%5C");
        self.metadata = Some(format!("resource_metadata=\"{url}\"").into());
    }

    /// The principal for the request's extensions, if there is one, or the refusal.
    pub(super) fn judge<P>(&self, decision: Result<P, Denied>) -> Result<Option<P>, Refusal> {
        match decision {
            Ok(principal) => Ok(Some(principal)),
            Err(Denied::Missing) if self.optional => Ok(None),
            Err(denied) => Err(self.with_metadata(denied.into())),
        }
    }

    fn with_metadata(&self, refusal: Refusal) -> Refusal {
        let Some((metadata, challenge)) = self.metadata.as_deref().zip(refusal.challenge()) else {
            return refusal;
        };
        let challenge = challenge.to_str().unwrap_or_default();
        // A challenge is a scheme, then its parameters.
        let separator = if challenge.contains(' ') { ", " } else { " " };
        match HeaderValue::try_from(format!("{challenge}{separator}{metadata}")) {
            Ok(challenge) => refusal.with_challenge(challenge),
            Err(_) => refusal,
        }
    }
}
