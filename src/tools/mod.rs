//! Tools of an agent that run in this process.
//!
//! A [`Tool`] is a name, a description, a JSON Schema of its input, and a [`tower::Service`] that is called with a
//! [`ToolCall`] and returns a [`ToolOutput`]. Limits, timeouts and retries are tower layers around that service. The
//! [`Tools`] of one name are a server of the Model Context Protocol, which
//! [`Claude::tools`](crate::claude::Claude::tools) makes known to every agent: the agent calls the tool `weather` of
//! the server `city` as `mcp__city__weather`.
//!
//! ```
//! # #[cfg(feature = "tools")] {
//! use std::{convert::Infallible, time::Duration};
//!
//! use agent_webkit::tools::{Permission, Tool, ToolCall, ToolOutput, Tools};
//! use tower::{ServiceBuilder, service_fn};
//!
//! # mod types {
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! pub struct City {
//!     /// The name of the city.
//!     pub name: String,
//! }
//! # }
//! # use types::City;
//! let weather = service_fn(async |call: ToolCall<City>| {
//!     Ok::<_, Infallible>(ToolOutput::text(format!("It rains in {}.", call.input.name)))
//! });
//! let weather = ServiceBuilder::new().concurrency_limit(4).service(weather);
//! let weather = Tool::new("weather", "Returns the weather of a city.", weather);
//! let tools = Tools::new().tool(weather.permission(Permission::Allow));
//! # assert_eq!(tools.names().collect::<Vec<_>>(), ["weather"]);
//! # }
//! ```
//!
//! # A call
//!
//! - **Input.** An input that is not a `T` is answered with an error that says why; the service is not called.
//! - **Errors.** The model gets the text of the service's error, with its sources, as the tool's failed result.
//! - **Cancellation.** When the turn is interrupted or the agent ends, the service's future is dropped and
//!   [`ToolCall::cancelled`] resolves.
//! - **Concurrency.** Calls of one message run at the same time if their tools are [read-only](Tool::read_only), and
//!   one after the other if not. A limit around a service holds for all sessions.

mod call;
mod output;
#[cfg(feature = "mcp")]
pub(crate) mod rmcp;
pub(crate) mod server;
mod set;
mod tool;

pub(crate) use self::set::is_name;
pub use self::{
    call::ToolCall,
    output::ToolOutput,
    set::Tools,
    tool::{Permission, Tool},
};
