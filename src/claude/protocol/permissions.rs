//! Permission updates of an earlier agent of the session, as settings for the next one.
//!
//! Measured: the CLI keeps the updates of a session in memory alone, and forgets them even with `--resume`. Rules
//! and directories in the settings of `apply_flag_settings` have the same effect. The CLI reports a changed mode
//! by itself, so `setMode` is not among them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The `permissions` of the CLI's settings.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permissions {
    allow: Vec<String>,
    deny: Vec<String>,
    ask: Vec<String>,
    additional_directories: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Update {
    AddRules(Rules),
    ReplaceRules(Rules),
    RemoveRules(Rules),
    AddDirectories {
        directories: Vec<String>,
    },
    RemoveDirectories {
        directories: Vec<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Rules {
    behavior: Behavior,
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Behavior {
    Allow,
    Deny,
    Ask,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    tool_name: String,
    rule_content: Option<String>,
}

impl Permissions {
    /// Applies the updates in their order.
    pub(crate) fn of(updates: &[Box<RawValue>]) -> Self {
        let mut permissions = Self::default();
        for update in updates.iter().filter_map(|update| serde_json::from_str(update.get()).ok()) {
            permissions.apply(update);
        }
        permissions
    }

    /// Adds rules for whole tools, which no update of the session removes.
    pub(crate) fn with_tools(mut self, allow: Vec<String>, deny: Vec<String>) -> Self {
        add(&mut self.allow, allow);
        add(&mut self.deny, deny);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn apply(&mut self, update: Update) {
        match update {
            Update::AddRules(Rules { behavior, rules }) => add(self.list(behavior), names(&rules)),
            Update::ReplaceRules(Rules { behavior, rules }) => *self.list(behavior) = names(&rules),
            Update::RemoveRules(Rules { behavior, rules }) => remove(self.list(behavior), &names(&rules)),
            Update::AddDirectories { directories } => add(&mut self.additional_directories, directories),
            Update::RemoveDirectories { directories } => {
                remove(&mut self.additional_directories, &directories);
            }
            Update::Other => {}
        }
    }

    fn list(&mut self, behavior: Behavior) -> &mut Vec<String> {
        match behavior {
            Behavior::Allow => &mut self.allow,
            Behavior::Deny => &mut self.deny,
            Behavior::Ask => &mut self.ask,
        }
    }
}

fn add(list: &mut Vec<String>, more: Vec<String>) {
    remove(list, &more);
    list.extend(more);
}

fn remove(list: &mut Vec<String>, gone: &[String]) {
    list.retain(|item| !gone.contains(item));
}

/// The rules in the form of the settings: `Bash(touch:*)`. The CLI reads a backslash before a parenthesis or a
/// backslash as an escape.
fn names(rules: &[Rule]) -> Vec<String> {
    let name = |Rule { tool_name, rule_content }: &Rule| match rule_content {
        Some(content) => {
            let content = content.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
            format!("{tool_name}({content})")
        }
        None => tool_name.clone(),
    };
    rules.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn permissions(updates: &[serde_json::Value]) -> Permissions {
        let raw = |update| serde_json::value::to_raw_value(update).unwrap();
        Permissions::of(&updates.iter().map(raw).collect::<Vec<_>>())
    }

    #[test]
    fn updates_add_up_in_their_order() {
        let rule = |content: &str| json!({"toolName": "Bash", "ruleContent": content});
        let update = |kind: &str, behavior: &str, content: &str| json!({"type": kind, "behavior": behavior, "rules": [rule(content)], "destination": "session"});
        let permissions = permissions(&[
            update("addRules", "allow", "touch:*"),
            update("addRules", "allow", "touch:*"),
            update("addRules", "deny", "echo (a) \\ b:*"),
            update("addRules", "ask", "rm:*"),
            update("removeRules", "ask", "rm:*"),
            json!({"type": "addRules", "behavior": "allow", "rules": [{"toolName": "Read"}]}),
            json!({"type": "addDirectories", "directories": ["/a", "/b"]}),
            json!({"type": "removeDirectories", "directories": ["/a"]}),
            json!({"type": "setMode", "mode": "plan"}),
            json!({"type": "of the future"}),
            json!(7),
        ]);
        assert_eq!(
            serde_json::to_value(&permissions).unwrap(),
            json!({"allow": ["Bash(touch:*)", "Read"], "deny": ["Bash(echo \\(a\\) \\\\ b:*)"], "ask": [],
                "additionalDirectories": ["/b"]})
        );
        assert!(super::Permissions::of(&[]).is_empty());
    }
}
