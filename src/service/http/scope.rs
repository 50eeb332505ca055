//! The scopes of a caller, which limit what it may do with its own sessions.

use std::sync::Arc;

use http::Extensions;

use crate::{layers::auth::Principal, proto::Inbound, service::error::SessionError};

/// The scope for reading: `GET` on every path, and tickets.
pub const READ: &str = "read";

/// The scope for creating and ending sessions and for sending input.
pub const DRIVE: &str = "drive";

/// The scope for answering prompts and for choosing a mode in which the agent asks less.
pub const APPROVE: &str = "approve";

/// The modes that need no approval: in them the agent does nothing unasked for which it would ask in another
/// mode.
pub(crate) const ASKING: [&str; 3] = ["default", "plan", "dontAsk"];

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

    pub(crate) fn may_approve(self) -> bool {
        self.may(APPROVE)
    }

    fn may(self, scope: &str) -> bool {
        self.0.is_none_or(|principal| principal.scopes.allow(scope))
    }

    /// Requires a scope.
    ///
    /// # Errors
    /// 403 with the name of the scope.
    pub(crate) fn must(self, scope: &'static str) -> Result<(), SessionError> {
        if self.may(scope) { Ok(()) } else { Err(lacks(scope)) }
    }

    /// Requires the scope for at least one kind of message. Which kind this one is, only its body says.
    pub(crate) fn must_send_something(self) -> Result<(), SessionError> {
        if self.may(DRIVE) || self.may(APPROVE) { Ok(()) } else { Err(lacks("drive or approve")) }
    }

    /// Requires the scope for this message. Choosing a mode in which the agent asks less is an approval in
    /// advance.
    pub(crate) fn must_send(self, input: &Inbound) -> Result<(), SessionError> {
        match input {
            Inbound::PermissionResponse { .. }
            | Inbound::QuestionResponse { .. }
            | Inbound::ElicitationResponse { .. } => self.must(APPROVE)?,
            _ => self.must(DRIVE)?,
        }
        input.modes().iter().try_for_each(|mode| self.must_choose(mode))
    }

    /// Requires the scope for choosing this mode.
    pub(crate) fn must_choose(self, mode: &str) -> Result<(), SessionError> {
        if ASKING.contains(&mode) { Ok(()) } else { self.must(APPROVE) }
    }

    /// Requires the scope for choosing this profile. Its name is part of the scope's.
    pub(crate) fn must_choose_profile(self, name: &str) -> Result<(), SessionError> {
        let scope = format!("profile:{name}");
        if self.may(&scope) { Ok(()) } else { Err(lacks(&scope)) }
    }
}

fn lacks(scope: &str) -> SessionError {
    SessionError::Denied(format!("the credential lacks the scope {scope}, which this request needs"))
}
