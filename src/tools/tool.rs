//! [`Tool`]: a name, a description, a schema and a service.

use std::{
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

use super::{ToolCall, ToolOutput};
use crate::error_text::with_sources;

/// A service with the input as JSON, which answers its own errors.
pub(super) type AnyService = BoxCloneSyncService<ToolCall<Value>, ToolOutput, BoxError>;

/// Whether an agent may call a tool without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// The agent asks, unless its permission mode or a rule decides: the tool is like any other.
    #[default]
    Ask,
    /// The agent may call it in every mode.
    Allow,
    /// The agent may not call it, in no mode.
    Deny,
}

/// A tool that runs in this process.
#[derive(Clone)]
pub struct Tool {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Value,
    pub(super) permission: Permission,
    pub(super) deferred: bool,
    pub(super) read_only: bool,
    pub(super) service: AnyService,
}

impl Tool {
    /// Creates a tool whose input is a `T`: its fields and their doc comments are what the model sees.
    #[cfg(feature = "tools")]
    pub fn new<T, S>(name: impl Into<String>, description: impl Into<String>, service: S) -> Self
    where
        T: DeserializeOwned + schemars::JsonSchema + Send + 'static,
        S: Service<ToolCall<T>, Response = ToolOutput, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self::with_schema(name, description, schemars::schema_for!(T).to_value(), service)
    }

    /// Creates a tool with this JSON Schema, an object with `"type": "object"`. `T` may be a
    /// [`Value`], or a type that accepts what the schema allows.
    pub fn with_schema<T, S>(
        name: impl Into<String>,
        description: impl Into<String>,
        schema: Value,
        service: S,
    ) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        S: Service<ToolCall<T>, Response = ToolOutput, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let service = Typed { service, input: PhantomData };
        Self {
            name: name.into(),
            description: description.into(),
            schema,
            permission: Permission::Ask,
            deferred: false,
            read_only: false,
            service: BoxCloneSyncService::new(service),
        }
    }

    /// Sets whether the agent may call the tool without asking. Default: [`Permission::Ask`].
    #[must_use]
    pub const fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// Declares that the tool changes nothing. The agent runs several calls of such tools at the same time, and calls
    /// of other tools one after the other.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Leaves the tool out of the model's list of tools; the model finds it with the agent's search for tools. For
    /// programs with many tools that are seldom used.
    #[must_use]
    pub const fn deferred(mut self) -> Self {
        self.deferred = true;
        self
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name)
            .field("description", &self.description)
            .field("permission", &self.permission)
            .field("deferred", &self.deferred)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// Reads the input for a service, and answers the service's errors.
struct Typed<S, T> {
    service: S,
    input: PhantomData<fn(T)>,
}

impl<S: Clone, T> Clone for Typed<S, T> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), input: PhantomData }
    }
}

impl<S, T> Service<ToolCall<Value>> for Typed<S, T>
where
    T: DeserializeOwned + Send + 'static,
    S: Service<ToolCall<T>, Response = ToolOutput, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    type Response = ToolOutput;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<ToolOutput, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ToolCall<Value>) -> Self::Future {
        // A bad input takes no place under the service's limits.
        let service = self.service.clone();
        Box::pin(async move {
            let mut read = Err(String::new());
            let call = call.map(|input| read = T::deserialize(input).map_err(|error| error.to_string()));
            let input = match read {
                Ok(input) => input,
                Err(error) => return Ok(ToolOutput::error(format!("The input is not valid: {error}."))),
            };
            Ok(service.oneshot(call.map(|()| input)).await.unwrap_or_else(|error| {
                let error: BoxError = error.into();
                ToolOutput::error(with_sources(&*error))
            }))
        })
    }
}
