//! One component.

use std::fmt;
#[cfg(feature = "claude")]
use std::sync::Arc;

use serde_json::{Value, json};

use super::{PREFIX, SERVER};

/// Maximum length of a component's name, so that its tool's name is not too long for a model.
const LONGEST: usize = 48;

/// Why components cannot be used, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GenUiError(String);

impl GenUiError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// Says what is wrong with an input.
#[cfg(feature = "claude")]
type Check = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Value,
    #[cfg(feature = "claude")]
    pub(super) check: Check,
}

impl Component {
    pub(super) fn new(name: String, description: String, schema: Value) -> Self {
        let description = match description.trim() {
            "" => format!("Render the {name} component"),
            _ => description,
        };
        Self {
            name,
            description,
            schema,
            #[cfg(feature = "claude")]
            check: Arc::new(is_object),
        }
    }

    #[cfg(feature = "tools")]
    pub(super) fn checked_by(
        self,
        check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { check: Arc::new(check), ..self }
    }

    pub(super) fn validate(&self) -> Result<(), GenUiError> {
        let name = &self.name;
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let starts_well = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if !(starts_well && name.len() <= LONGEST && name.bytes().all(allowed)) {
            return Err(GenUiError::new(format!(
                "the name of the component `{}` must match ^[a-z][a-z0-9_]*$ and have at most {LONGEST} characters",
                name.escape_debug()
            )));
        }
        if self.schema["type"] != "object" {
            return Err(GenUiError::new(format!(
                "the schema of the component `{name}` must have the type `object`"
            )));
        }
        Ok(())
    }

    /// The name of the component's tool, without its server.
    pub(super) fn tool(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    pub(super) fn described(&self) -> Value {
        let tool = self.tool();
        json!({"name": format!("mcp__{SERVER}__{tool}"), "short_name": self.name, "raw_tool_name": tool,
            "description": self.description, "schema": self.schema})
    }
}

#[cfg(feature = "claude")]
fn is_object(input: &Value) -> Result<(), String> {
    if input.is_object() { Ok(()) } else { Err("it is not an object".to_owned()) }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Component").field(&self.name).finish()
    }
}

/// The name of a type in snake case: `WeatherCard` is `weather_card`, `HTMLPage` is `html_page`.
#[cfg(feature = "tools")]
pub(super) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && !chars[at - 1].is_uppercase() && chars[at - 1] != '_';
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        if at > 0 && c.is_uppercase() && chars[at - 1] != '_' && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(all(test, feature = "tools"))]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_name_in_snake_case() {
        for (name, snake) in [
            ("WeatherCard", "weather_card"),
            ("HTMLPage", "html_page"),
            ("Card2", "card2"),
            ("A", "a"),
            ("Two_Words", "two_words"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}
