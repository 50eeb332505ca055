//! JSON-RPC messages, as far as the Model Context Protocol needs them.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue, value::to_raw_value};

/// A message from the agent.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    /// `None`: a notification.
    pub(crate) id: Option<Value>,
    #[serde(default)]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) params: Value,
}

/// The error code of a method that is not known.
pub(crate) const NO_METHOD: i32 = -32601;
/// The error code of parameters that are not valid.
pub(crate) const BAD_PARAMS: i32 = -32602;

impl Message {
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    pub(crate) fn notification(method: &str, params: &Value) -> Box<RawValue> {
        raw(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    pub(crate) fn result(id: &Value, result: &Value) -> Box<RawValue> {
        raw(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    pub(crate) fn error(id: &Value, code: i32, message: &str) -> Box<RawValue> {
        raw(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a JSON value can be written")
}
