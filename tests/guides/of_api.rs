//! Checks that the description of the API says what the protocol page says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    guide::{Block, Guide},
    json::{EVENTS, MESSAGES},
    openapi::OpenApi,
};

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn every_event_and_message_is_described() {
    let api = OpenApi::new();
    let events: BTreeSet<&str> = api.events().keys().map(String::as_str).collect();
    assert_eq!(events, BTreeSet::from(EVENTS));
    let message = schema("Message");
    let mapping = &api.referred(&message)["discriminator"]["mapping"];
    let messages: BTreeSet<&str> = mapping.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(messages, BTreeSet::from(MESSAGES));
}

#[test]
fn every_example_of_the_protocol_is_as_described() {
    let api = OpenApi::new();
    for block in Guide::read("docs/protocol.md").blocks() {
        if block.info.starts_with("json") {
            check(&api, &block)
                .unwrap_or_else(|error| panic!("{}: {error} in {}", block.heading, block.body));
        }
    }
}

fn check(api: &OpenApi, block: &Block<'_>) -> Result<(), String> {
    let value: Value = serde_json::from_str(&block.body).map_err(|error| error.to_string())?;
    let heading = block.heading.trim_matches('`');
    match block.info {
        "json create" => whole(api, &schema("NewSession"), &value),
        "json created" => whole(api, &schema("Created"), &value),
        "json session" => whole(api, &schema("Session"), &value),
        "json ticket" => whole(api, &schema("Ticket"), &value),
        "json refusal" => whole(api, &schema("Refusal"), &value),
        "json genui" => whole(api, &schema("Components"), &value),
        "json files" => {
            let get = &api.0["paths"]["/sessions/{id}/files"]["get"]["responses"]["200"]["content"];
            whole(api, &get["application/json"]["schema"], &value)
        }
        "json page" => {
            let get = &api.0["paths"]["/sessions"]["get"]["responses"]["200"]["content"];
            whole(api, &get["application/json"]["schema"], &value)
        }
        // The agent adds members to these.
        "json" if heading == "result" || heading == "status" => api.check(&api.events()[heading], &value),
        "json" if block.section == "Events" => whole(api, &api.events()[heading], &value),
        "json" => whole(api, &schema("Message"), &value),
        named => whole(api, &api.events()[named.trim_start_matches("json ")], &value),
    }
}

/// Checks a value that has no member, at its top, which the schema does not name.
fn whole(api: &OpenApi, schema: &Value, value: &Value) -> Result<(), String> {
    api.check(schema, value)?;
    let choices = api.referred(schema)["oneOf"].as_array();
    let fits = |choice: &&Value| api.check(choice, value).is_ok();
    let schema = choices.and_then(|choices| choices.iter().find(fits)).unwrap_or(schema);
    let known = api.referred(schema)["properties"].as_object();
    let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
    match value.as_object().into_iter().flatten().find(|(name, _)| !is_known(name)) {
        Some((name, _)) => Err(format!("{name} is not described")),
        None => Ok(()),
    }
}

#[test]
fn every_reference_has_its_target() {
    fn visit(api: &OpenApi, value: &Value, seen: &mut BTreeSet<String>) {
        if let Some(target) = value["$ref"].as_str() {
            api.referred(value);
            seen.insert(target.rsplit('/').next().unwrap().to_owned());
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| visit(api, item, seen)),
            Value::Object(members) => members.values().for_each(|member| visit(api, member, seen)),
            _ => {}
        }
    }
    let (api, mut seen) = (OpenApi::new(), BTreeSet::new());
    visit(&api, &api.0, &mut seen);
    let parts = ["schemas", "responses"].map(|part| api.0["components"][part].as_object().unwrap());
    let unused: Vec<_> =
        parts.iter().flat_map(|part| part.keys()).filter(|name| !seen.contains(*name)).collect();
    assert!(unused.is_empty(), "{unused:?} are not used");
}
