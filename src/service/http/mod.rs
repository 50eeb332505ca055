//! HTTP: routes, request bodies and responses.

pub(crate) mod agent_service;
pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod failure;
pub(crate) mod input;
mod list;
mod looks;
pub(crate) mod reply;
pub(crate) mod resolving;
pub(crate) mod route;
pub(crate) mod scope;
pub(crate) mod span;
pub(crate) mod stream;
pub(crate) mod ticket;

pub(crate) use self::{failure::Failure, scope::Caller};
