//! Checks that the JSON examples in the guides conform to the protocol.

use std::collections::BTreeSet;

use agent_webkit::{
    genui::GenUi,
    proto::{
        CreateSession, Inbound,
        client::{ClientMessage, Created, ServerEvent, SessionInfo, Ticket},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::guide::{Block, Guide};

/// The names for each of which the protocol page must have an example.
pub(crate) const MESSAGES: [&str; 10] = [
    "cancel_message",
    "elicitation_response",
    "interrupt",
    "permission_response",
    "question_response",
    "rewind",
    "set_model",
    "set_permission_mode",
    "stop_task",
    "user_message",
];
pub(crate) const EVENTS: [&str; 20] = [
    "ask_user_question",
    "done",
    "elicitation_request",
    "error",
    "files_rewound",
    "hook_decision_request",
    "mcp_status_change",
    "message_complete",
    "message_delta",
    "permission_request",
    "prompt_resolved",
    "result",
    "session_ready",
    "session_state",
    "status",
    "task_update",
    "tool_result",
    "tool_use",
    "user_message",
    "user_message_cancelled",
];

#[test]
fn every_example_is_what_its_place_says() {
    for guide in Guide::all() {
        for block in guide.blocks().iter().filter(|block| block.info.starts_with("json")) {
            check(block).unwrap_or_else(|error| panic!("{}: {error} in {}", guide.path, block.body));
        }
    }
}

#[test]
fn every_message_and_event_has_an_example() {
    let guide = Guide::read("docs/protocol.md");
    let blocks = guide.blocks();
    let shown = |section: &str| -> BTreeSet<&str> {
        let shown = blocks.iter().filter(|block| block.section == section && block.info == "json");
        shown.map(|block| block.heading.trim_matches('`')).collect()
    };
    assert_eq!(shown("Messages"), BTreeSet::from(MESSAGES));
    assert_eq!(shown("Events"), BTreeSet::from(EVENTS));
}

fn check(block: &Block<'_>) -> Result<(), String> {
    let value: Value = serde_json::from_str(&block.body).map_err(|error| error.to_string())?;
    match block.info {
        "json create" => {
            CreateSession::parse(block.body.as_bytes()).map(drop).map_err(|error| error.to_string())
        }
        "json created" => whole::<Created>(&value),
        "json session" => whole::<SessionInfo>(&value),
        "json ticket" => whole::<Ticket>(&value),
        "json files" if value["files"].is_array() => Ok(()),
        "json page" if value["sessions"].is_array() && value["next"].is_string() => Ok(()),
        "json components" => GenUi::from_json(&block.body).map(drop).map_err(|error| error.to_string()),
        "json genui" => {
            let tool = &value["tools"][0];
            let named = ["short_name", "description"].map(|name| tool[name].as_str().unwrap_or_default());
            let genui = GenUi::new().with_schema(named[0], named[1], tool["schema"].clone());
            let schema = genui.map_err(|error| error.to_string())?.schema();
            if schema == value { Ok(()) } else { Err(format!("it would be {schema}")) }
        }
        "json refusal" if value["detail"].is_string() && value["code"] == "backpressure" => Ok(()),
        "json" if block.section == "Events" => event(block.heading.trim_matches('`'), &value),
        "json" => message(block, &value),
        named => event(named.trim_start_matches("json "), &value),
    }
}

/// Checks a message that the server accepts and the typed client can write.
fn message(block: &Block<'_>, value: &Value) -> Result<(), String> {
    Inbound::parse(block.body.as_bytes()).map_err(|error| error.to_string())?;
    if block.section == "Messages" && value["type"] != block.heading.trim_matches('`') {
        return Err(format!("an example of another message than {}", block.heading));
    }
    // The server accepts answers in a second shape, which the typed client does not write.
    if value["answers"].is_object() { Ok(()) } else { whole::<ClientMessage>(value) }
}

/// Checks an event that the typed client parses without loss.
fn event(name: &str, value: &Value) -> Result<(), String> {
    let event = ServerEvent::parse(name, &value.to_string()).map_err(|error| error.to_string())?;
    match event {
        ServerEvent::Other { .. } => Err(format!("no event is called {name}")),
        event if event.data() == *value => Ok(()),
        event => Err(format!("read as {event:?}")),
    }
}

fn whole<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    if again == *value { Ok(()) } else { Err(format!("read as {again}")) }
}
