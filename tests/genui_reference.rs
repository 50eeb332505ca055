//! The schemas of components, compared with those that the Python reference makes of the same models.
#![cfg(feature = "tools")]

use std::{path::PathBuf, process::Command};

use agent_webkit::genui::GenUi;
use serde_json::Value;

/// Display the current weather for a location.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct WeatherCard {
    /// Human-readable place name
    location: String,
    temperature_f: f64,
    condition: Option<String>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct PricingPlan {
    name: String,
    price: f64,
    #[serde(default)]
    features: Vec<String>,
}

/// Show a side-by-side comparison of pricing plans.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct PricingTable {
    plans: Vec<PricingPlan>,
}

#[test]
fn two_components_have_the_schemas_of_the_reference() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("AGENT_WEBKIT_REFERENCE")
        .map_or_else(|| root.join(".local/reference/bin/python"), PathBuf::from);
    if !python.exists() {
        eprintln!("skipped: the Python reference is not installed (scripts/reference.sh does that)");
        return;
    }
    let output =
        Command::new(python).arg(root.join("tests/reference/genui.py")).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");

    let schema = GenUi::new().component::<WeatherCard>().component::<PricingTable>().schema();
    let tools = schema["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["short_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["weather_card", "pricing_table"]);
    for (tool, theirs) in tools.iter().zip(&theirs) {
        assert_eq!(tool["description"], theirs["description"]);
        assert_eq!(meant(&tool["schema"]), meant(theirs));
    }
}

/// A schema without what the two libraries write in different ways and what allows the same values: titles of fields,
/// the version of JSON Schema, the format of a number, a default, and `null` as a type or as an alternative.
fn meant(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            if let Some(alternatives) = members.get("anyOf").and_then(Value::as_array) {
                let types: Vec<_> = alternatives.iter().map(|one| one["type"].clone()).collect();
                return serde_json::json!({ "type": types });
            }
            let is_about_it = |name: &str, value: &Value| {
                name == "default" || ["title", "$schema", "format"].contains(&name) && value.is_string()
            };
            let kept = members.iter().filter(|(name, value)| !is_about_it(name, value));
            kept.map(|(name, value)| (name.clone(), meant(value))).collect()
        }
        Value::Array(items) => items.iter().map(meant).collect(),
        other => other.clone(),
    }
}
