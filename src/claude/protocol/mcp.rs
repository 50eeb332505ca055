//! The messages between the CLI and the MCP servers in this process, each inside a control request.

use std::{collections::HashMap, sync::Arc};

use serde_json::value::RawValue;

use super::wire::Members;
use crate::proto::AgentEvent;

/// What is open between the CLI and the servers.
#[derive(Debug, Default)]
pub(crate) struct McpMessages {
    /// The control requests of the CLI's JSON-RPC requests, by server and JSON-RPC id.
    requests: HashMap<(Arc<str>, String), Open>,
}

#[derive(Debug)]
struct Open {
    control_request: String,
    /// The token under which the server reports progress, and the tool call.
    progress: Option<(String, Box<RawValue>)>,
}

/// What to do with a message of the CLI.
#[derive(Debug)]
pub(crate) struct FromCli {
    pub(crate) server: Arc<str>,
    pub(crate) message: Box<RawValue>,
    /// Whether the control request is answered at once, because no answer of the server follows.
    pub(crate) is_acknowledged: bool,
}

/// What a message of a server becomes.
#[derive(Debug)]
pub(crate) enum FromServer {
    /// The answer to this control request.
    Answer { control_request: String },
    /// A control request of our own, and what readers learn of it.
    Request(Option<AgentEvent>),
    /// The answer to a request that the CLI gave up.
    Late,
}

impl McpMessages {
    /// Takes a message for one of these servers. `None`: there is no such server, or no message.
    pub(crate) fn take_from_cli(
        &mut self,
        control_request: &str,
        request: &Members<'_>,
        servers: &[Arc<str>],
    ) -> Option<FromCli> {
        let name = request.text("server_name")?;
        let server = Arc::clone(servers.iter().find(|server| ***server == *name)?);
        let message = request.get("message")?.to_owned();
        let members = Members::of(Some(&message));
        let params = Members::of(members.get("params"));
        let method = members.text("method");
        if let Some(id) = members.get("id").filter(|_| method.is_some()) {
            let meta = Members::of(params.get("_meta"));
            let call = meta.get("claudecode/toolUseId");
            let token = meta.get("progressToken").map(|token| token.get().to_owned());
            let progress = token.zip(call.map(ToOwned::to_owned));
            let open = Open { control_request: control_request.to_owned(), progress };
            self.requests.insert((Arc::clone(&server), id.get().to_owned()), open);
            return Some(FromCli { server, message, is_acknowledged: false });
        }
        if method.is_some_and(|method| method == "notifications/cancelled")
            && let Some(id) = params.get("requestId")
        {
            self.requests.remove(&(Arc::clone(&server), id.get().to_owned()));
        }
        Some(FromCli { server, message, is_acknowledged: true })
    }

    /// Takes a message of a server.
    pub(crate) fn take_from_server(&mut self, server: &Arc<str>, message: &RawValue) -> FromServer {
        let members = Members::of(Some(message));
        let Some(method) = members.text("method") else {
            let id = members.get("id").map(|id| id.get().to_owned()).unwrap_or_default();
            return match self.requests.remove(&(Arc::clone(server), id)) {
                Some(Open { control_request, .. }) => FromServer::Answer { control_request },
                None => FromServer::Late,
            };
        };
        let is_progress = method == "notifications/progress";
        FromServer::Request(is_progress.then(|| self.progress(server, &members)).flatten())
    }

    fn progress(&self, server: &Arc<str>, message: &Members<'_>) -> Option<AgentEvent> {
        let params = Members::of(message.get("params"));
        let token = params.get("progressToken")?.get();
        let calls = self.requests.iter().filter(|((of, _), _)| of == server);
        let mut tokens = calls.filter_map(|(_, open)| open.progress.as_ref());
        let (_, call) = tokens.find(|(open, _)| open == token)?;
        let mut extra = vec![("tool_use_id".to_owned(), call.clone())];
        extra.extend(params.without(&["progressToken", "_meta"]));
        Some(AgentEvent::Status { status: "tool_progress".to_owned(), extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn take(messages: &mut McpMessages, control_request: &str, message: &str) -> Option<FromCli> {
        let request = format!(r#"{{"server_name":"city","message":{message}}}"#);
        messages.take_from_cli(control_request, &serde_json::from_str(&request).unwrap(), &["city".into()])
    }

    #[test]
    fn an_answer_finds_its_control_request_once() {
        let mut messages = McpMessages::default();
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(!take(&mut messages, "q1", list).unwrap().is_acknowledged);
        let answer = raw(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let FromServer::Answer { control_request } = messages.take_from_server(&"city".into(), &answer)
        else {
            panic!("no answer")
        };
        assert_eq!(control_request, "q1");
        assert!(matches!(messages.take_from_server(&"city".into(), &answer), FromServer::Late));
        let unknown = serde_json::from_str(r#"{"server_name":"other","message":{}}"#).unwrap();
        assert!(messages.take_from_cli("q2", &unknown, &["city".into()]).is_none());
    }

    #[test]
    fn progress_names_its_call_until_the_call_is_cancelled() {
        let mut messages = McpMessages::default();
        let call = r#"{"id":2,"method":"tools/call","params":{"_meta":{"claudecode/toolUseId":"toolu_1","progressToken":7}}}"#;
        take(&mut messages, "q1", call).unwrap();
        let progress = raw(
            r#"{"method":"notifications/progress","params":{"progressToken":7,"progress":1,"message":"half"}}"#,
        );
        let FromServer::Request(Some(AgentEvent::Status { status, extra })) =
            messages.take_from_server(&"city".into(), &progress)
        else {
            panic!("no status")
        };
        let extra: Vec<_> = extra.iter().map(|(name, value)| format!("{name}={}", value.get())).collect();
        assert_eq!(
            (&*status, extra.join(" ")),
            ("tool_progress", r#"tool_use_id="toolu_1" progress=1 message="half""#.into())
        );
        let cancelled = r#"{"method":"notifications/cancelled","params":{"requestId":2}}"#;
        assert!(take(&mut messages, "q2", cancelled).unwrap().is_acknowledged);
        assert!(matches!(messages.take_from_server(&"city".into(), &progress), FromServer::Request(None)));
    }
}
