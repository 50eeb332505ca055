//! The description of the API, and a check of values against its schemas.

use agent_webkit::service::OPENAPI;
use serde_json::Value;

/// The description of the API.
#[derive(Debug)]
pub(crate) struct OpenApi(pub(crate) Value);

impl OpenApi {
    pub(crate) fn new() -> Self {
        Self(serde_json::from_str(OPENAPI).expect("the description is JSON"))
    }

    /// The schemas of the events, by name.
    pub(crate) fn events(&self) -> &serde_json::Map<String, Value> {
        let stream = &self.0["paths"]["/sessions/{id}/stream"]["get"]["responses"]["200"];
        stream["x-events"].as_object().expect("events")
    }

    /// What a `$ref` refers to.
    pub(crate) fn referred<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => {
                let found = self.0.pointer(path.trim_start_matches('#'));
                found.unwrap_or_else(|| panic!("{path} refers to nothing"))
            }
            None => schema,
        }
    }

    /// Checks a value against a schema, as far as the description uses JSON Schema.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.referred(schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = choices.iter().filter(|choice| self.check(choice, value).is_ok()).count();
            return if fits == 1 { Ok(()) } else { Err(format!("{value} fits {fits} of {choices:?}")) };
        }
        if let Some(wanted) = schema.get("const")
            && wanted != value
        {
            return Err(format!("{value} is not {wanted}"));
        }
        if let Some(wanted) = schema["enum"].as_array()
            && !wanted.contains(value)
        {
            return Err(format!("{value} is none of {wanted:?}"));
        }
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|wanted| is_of(value, wanted)) {
            return Err(format!("{value} is no {types:?}"));
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.is_object() && value.get(name).is_none() {
                return Err(format!("{value} has no {name}"));
            }
        }
        for (name, of_member) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(member) = value.get(name) {
                self.check(of_member, member).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        if let (Some(items), Some(of_item)) = (value.as_array(), schema.get("items")) {
            items.iter().try_for_each(|item| self.check(of_item, item))?;
        }
        Ok(())
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
