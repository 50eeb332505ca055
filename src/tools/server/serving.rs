//! [`Tools`] as a server of the Model Context Protocol.

use std::{collections::HashMap, future::Future, pin::Pin};

use serde_json::{Value, json, value::RawValue};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

use super::{
    Caller, Connection, McpServer, Message, Outgoing,
    message::{BAD_PARAMS, NO_METHOD},
};
use crate::tools::{ToolCall, ToolOutput, Tools, call::ProgressTo, tool::Tool};

/// The version of the protocol, where the agent names none.
const VERSION: &str = "2025-06-18";

impl McpServer for Tools {
    fn serve(&self, connection: Connection) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Connection { caller, mut messages, out } = connection;
        let mut serving =
            Serving { tools: self.clone(), caller, out, calls: JoinSet::new(), open: HashMap::new() };
        Box::pin(async move {
            loop {
                tokio::select! {
                    message = messages.recv() => match message {
                        Some(message) => serving.handle(&message).await,
                        None => return,
                    },
                    Some(done) = serving.calls.join_next_with_id() => serving.done(done).await,
                }
            }
        })
    }
}

/// The tools of one agent.
struct Serving {
    tools: Tools,
    caller: Caller,
    out: Outgoing,
    calls: JoinSet<Option<ToolOutput>>,
    open: HashMap<Id, Open>,
}

/// A call that runs.
struct Open {
    /// The id of its request.
    request: Value,
    cancelled: CancellationToken,
    _cancels_when_dropped: DropGuard,
}

impl Serving {
    async fn handle(&mut self, raw: &RawValue) {
        let Some(Message { id, method, mut params }) = Message::read(raw) else { return };
        let Some(id) = id else {
            if method == "notifications/cancelled" {
                let cancelled = self.open.values().find(|open| open.request == params["requestId"]);
                cancelled.inspect(|open| open.cancelled.cancel());
            }
            return;
        };
        let answer = match &*method {
            "initialize" => {
                let version = params["protocolVersion"].as_str().unwrap_or(VERSION);
                let own = json!({"name": "agent-webkit", "version": env!("CARGO_PKG_VERSION")});
                let mut answer =
                    json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": own});
                if let Some(instructions) = &self.tools.instructions {
                    answer["instructions"] = json!(instructions);
                }
                Message::result(&id, &answer)
            }
            "ping" => Message::result(&id, &json!({})),
            "tools/list" => {
                let tools: Vec<_> = self.tools.tools.iter().map(described).collect();
                Message::result(&id, &json!({"tools": tools}))
            }
            "tools/call" => {
                let name = params["name"].as_str().unwrap_or_default();
                match self.tools.tools.iter().find(|tool| tool.name == name).cloned() {
                    Some(tool) => return self.call(&tool, id, &mut params),
                    None => Message::error(&id, BAD_PARAMS, &format!("there is no tool `{name}`")),
                }
            }
            _ => Message::error(&id, NO_METHOD, &format!("there is no method `{method}`")),
        };
        self.out.send(answer).await;
    }

    fn call(&mut self, tool: &Tool, request: Value, params: &mut Value) {
        let meta = &params["_meta"];
        let token = &meta["progressToken"];
        let progress = (!token.is_null()).then(|| ProgressTo { token: token.clone(), out: self.out.clone() });
        let tool_use_id = meta["claudecode/toolUseId"].as_str().unwrap_or_default().to_owned();
        let input = match params["arguments"].take() {
            Value::Null => json!({}),
            input => input,
        };
        let cancelled = CancellationToken::new();
        let call = ToolCall {
            input,
            session_id: self.caller.session_id.as_ref().into(),
            principal: self.caller.owner(),
            tool_use_id,
            progress,
            cancelled: cancelled.clone(),
        };
        let (service, token) = (tool.service.clone(), cancelled.clone());
        let answer = async move {
            let answer = token.run_until_cancelled(service.oneshot(call)).await?;
            Some(answer.unwrap_or_else(|error| ToolOutput::error(error.to_string())))
        };
        let task = self.calls.spawn(answer);
        let guard = cancelled.clone().drop_guard();
        self.open.insert(task.id(), Open { request, cancelled, _cancels_when_dropped: guard });
    }

    async fn done(&mut self, done: Result<(Id, Option<ToolOutput>), JoinError>) {
        let (task, output) = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "a tool failed with a panic");
                (error.id(), Some(ToolOutput::error("The tool failed with a panic.")))
            }
        };
        let Some(open) = self.open.remove(&task) else { return };
        // A cancelled request gets no answer.
        if let Some(output) = output {
            self.out.send(Message::result(&open.request, &output.into_result())).await;
        }
    }
}

/// A tool in the list.
fn described(tool: &Tool) -> Value {
    // The CLI shows a tool to its model at once, instead of after a search.
    let meta = json!({"anthropic/alwaysLoad": !tool.deferred});
    json!({"name": tool.name, "description": tool.description, "inputSchema": tool.schema,
        "annotations": {"readOnlyHint": tool.read_only}, "_meta": meta})
}
