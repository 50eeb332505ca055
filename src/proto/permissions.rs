//! The permission updates of an approval: the CLI's `updatedPermissions`.

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::json;

/// The destination of an update that ends with its session. The others are files, which other sessions read.
const SESSION: &str = "session";

/// The part of an update that a server must know before it lets the update pass.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Update {
    mode: Option<String>,
    directories: Vec<String>,
}

fn read(updates: &RawValue) -> Vec<Update> {
    let updates: Vec<&RawValue> = serde_json::from_str(updates.get()).unwrap_or_default();
    updates.into_iter().filter_map(|update| serde_json::from_str(update.get()).ok()).collect()
}

/// The permission modes that the updates set.
pub(super) fn modes(updates: &RawValue) -> Vec<String> {
    read(updates).into_iter().filter_map(|update| update.mode).collect()
}

/// The directories that the updates open to the agent.
pub(super) fn directories(updates: &RawValue) -> Vec<String> {
    read(updates).into_iter().flat_map(|update| update.directories).collect()
}

/// The same updates for the session alone. What is not an object is left out.
pub(super) fn for_this_session(updates: &RawValue) -> Box<RawValue> {
    let updates: Vec<Value> = serde_json::from_str(updates.get()).unwrap_or_default();
    let updates = updates.into_iter().filter_map(|update| match update {
        Value::Object(mut members) => {
            members.insert("destination".to_owned(), SESSION.into());
            Some(members)
        }
        _ => None,
    });
    json::into_raw(serde_json::to_vec(&updates.collect::<Vec<Map<String, Value>>>()).expect("it is JSON"))
}

/// The updates that last as long as their session.
pub(super) fn of_this_session(updates: &RawValue) -> Vec<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Destination<'a> {
        #[serde(borrow)]
        destination: std::borrow::Cow<'a, str>,
    }
    let updates: Vec<Box<RawValue>> = serde_json::from_str(updates.get()).unwrap_or_default();
    let ends_with_it = |update: &RawValue| {
        serde_json::from_str::<Destination<'_>>(update.get()).is_ok_and(|it| it.destination == SESSION)
    };
    updates.into_iter().filter(|update| ends_with_it(update)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATES: &str = r#"[{"type":"addRules","rules":[{"toolName":"Bash"}],"destination":"userSettings"},
        {"type":"setMode","mode":"plan"},{"type":"addDirectories","directories":["/a","b"],"destination":"session"},7]"#;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_the_updates_open_is_found() {
        let updates = raw(UPDATES);
        assert_eq!(modes(&updates), ["plan"]);
        assert_eq!(directories(&updates), ["/a", "b"]);
        assert!(directories(&raw("7")).is_empty());
    }

    #[test]
    fn updates_are_kept_to_the_session() {
        assert_eq!(of_this_session(&raw(UPDATES)).len(), 1);
        let kept = for_this_session(&raw(UPDATES));
        let values: Vec<Value> = serde_json::from_str(kept.get()).unwrap();
        assert_eq!(values.len(), 3, "a number is no update");
        assert!(values.iter().all(|update| update["destination"] == "session"), "{kept}");
        assert_eq!(values[0]["rules"][0]["toolName"], "Bash");
        assert_eq!(of_this_session(&kept).len(), 3);
    }
}
