//! The components as tools of an agent.

use std::{convert::Infallible, sync::Arc};

use serde_json::Value;
use tower::service_fn;

use super::{GenUi, component::Component};
use crate::tools::{Permission, Tool, ToolCall, ToolOutput, Tools};

/// What the agent is told about the components.
const INSTRUCTIONS: &str = "These tools render components of the user's interface: what you pass to one is shown to \
    the user at once. Call one whenever a component shows an answer better than text, with all properties that its \
    schema requires. Do not repeat in text what a component shows.";

impl GenUi {
    /// The components as tools, which the agent may call without asking.
    pub(crate) fn tools(&self) -> Tools {
        let tools = self.components.iter().map(rendering);
        let instructions = self.instructions.as_deref().unwrap_or(INSTRUCTIONS);
        tools.fold(Tools::new().instructions(instructions), Tools::tool)
    }
}

fn rendering(component: &Component) -> Tool {
    let (check, name) = (Arc::clone(&component.check), component.name.clone());
    let render = service_fn(move |call: ToolCall<Value>| {
        let output = match check(&call.input) {
            Ok(()) => ToolOutput::text(format!("rendered:{name}")),
            Err(error) => ToolOutput::error(format!("The input is not valid: {error}.")),
        };
        std::future::ready(Ok::<_, Infallible>(output))
    });
    let tool = Tool::with_schema(component.tool(), &component.description, component.schema.clone(), render);
    tool.permission(Permission::Allow).read_only()
}
