use http::StatusCode;

use super::Unavailable;
use crate::reply::{Refusal, Renderer};

/// What becomes of a request without a value.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) not_found: &'static str,
    pub(super) renderer: Renderer,
}

impl Answers {
    pub(super) const DEFAULT: Self =
        Self { not_found: "there is nothing with this id", renderer: Renderer::JSON };

    pub(super) fn judge<T>(&self, outcome: Result<Option<T>, Unavailable>) -> Result<T, Refusal> {
        match outcome {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Refusal::new(StatusCode::NOT_FOUND, self.not_found)),
            Err(unavailable) => {
                let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, unavailable.to_string());
                Err(refusal.with_retry_after(unavailable.seconds()))
            }
        }
    }
}
