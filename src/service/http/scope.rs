//! What a caller may do with the sessions that are theirs.

use std::sync::Arc;

use http::Extensions;

use crate::{layers::auth::Principal, proto::Inbound, service::failure::Failure};

/// The scope of those who watch: `GET` on every path, and tickets.
pub const READ: &str = "read";

/// The scope of those who make and end sessions and send input.
pub const DRIVE: &str = "drive";

/// The scope of those who answer prompts, and who may let the agent ask less.
pub const APPROVE: &str = "approve";

/// Modes in which the agent does nothing unasked that it would have to ask for in another one.
const ASKING: [&str; 3] = ["default", "plan", "dontAsk"];

/// The caller of a request. Without an auth layer it has no name and may do everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a>(Option<&'a Principal>);

impl<'a> Caller<'a> {
    pub(crate) fn of(extensions: &'a Extensions) -> Self {
        Self(extensions.get())
    }

    pub(crate) fn principal(self) -> Option<&'a Principal> {
        self.0
    }

    pub(crate) fn name(self) -> Option<&'a str> {
        self.0.map(|principal| &*principal.name)
    }

    pub(crate) fn owner(self) -> Option<Arc<str>> {
        self.0.map(|principal| Arc::clone(&principal.name))
    }

    fn may(self, scope: &str) -> bool {
        self.0.is_none_or(|principal| principal.scopes.allow(scope))
    }

    /// # Errors
    /// 403, with the scope in its sentence.
    pub(crate) fn must(self, scope: &'static str) -> Result<(), Failure> {
        if self.may(scope) { Ok(()) } else { Err(lacks(scope)) }
    }

    /// Is there any message that may be sent? What this one is, its body tells later.
    pub(crate) fn must_send_something(self) -> Result<(), Failure> {
        if self.may(DRIVE) || self.may(APPROVE) { Ok(()) } else { Err(lacks("drive or approve")) }
    }

    /// May this message be sent? Choosing a mode in which the agent asks less is an approval in advance.
    pub(crate) fn must_send(self, input: &Inbound) -> Result<(), Failure> {
        match input {
            Inbound::PermissionResponse { .. } | Inbound::QuestionResponse { .. } => self.must(APPROVE)?,
            _ => self.must(DRIVE)?,
        }
        input.modes().iter().try_for_each(|mode| self.must_choose(mode))
    }

    /// May this mode be chosen?
    pub(crate) fn must_choose(self, mode: &str) -> Result<(), Failure> {
        if ASKING.contains(&mode) { Ok(()) } else { self.must(APPROVE) }
    }
}

fn lacks(scope: &str) -> Failure {
    Failure::forbidden(format!("the credential does not have the scope {scope}, which this needs"))
}
