//! Generative UI: components of a user interface that the agent shows by calling tools.
//!
//! A component is a name, a description and the JSON Schema of its properties. The agent gets a tool for each, of the MCP
//! server `genui`, which it may call without asking: `mcp__genui__render_weather_card`. The call's input arrives in the
//! stream as `input_json_delta`s and as a `tool_use`, from which a client renders the component. A client reads the
//! components from `GET /genui/schema`, which needs no token.
//!
//! ```
//! # #[cfg(feature = "tools")] {
//! use agent_webkit::genui::GenUi;
//!
//! # mod types {
//! /// A card with the weather of a city.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! pub struct WeatherCard {
//!     /// The name of the city.
//!     pub city: String,
//!     /// The temperature in degrees Celsius.
//!     pub temperature: f64,
//! }
//! # }
//! # use types::WeatherCard;
//! let genui = GenUi::new().component::<WeatherCard>();
//! assert_eq!(genui.schema()["tools"][0]["name"], "mcp__genui__render_weather_card");
//! # }
//! ```
//!
//! `Claude::genui` gives the components to agents, and `StackBuilder::genui` adds the route to a stack.
//! [`GenUi::service`] is the route alone.

mod component;
mod file;
mod schema;
#[cfg(feature = "claude")]
mod tools;

use serde_json::{Value, json};

use self::component::Component;
pub use self::{
    component::GenUiError,
    schema::{GenUiLayer, GenUiSchema, GenUiService},
};

/// The name of the MCP server.
pub(crate) const SERVER: &str = "genui";

/// The start of the tools' names.
const PREFIX: &str = "render_";

/// The components of a user interface.
#[derive(Clone, Debug, Default)]
pub struct GenUi {
    components: Vec<Component>,
    #[cfg(feature = "claude")]
    instructions: Option<String>,
}

impl GenUi {
    /// Creates a set without components.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            components: Vec::new(),
            #[cfg(feature = "claude")]
            instructions: None,
        }
    }

    /// Sets what the model reads about when to show components. By default it is told to prefer them to text where
    /// they show an answer better.
    #[cfg(feature = "claude")]
    #[must_use]
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.instructions = Some(text.into());
        self
    }

    /// Adds a component whose properties are the fields of `T`. Its name is that of the type in snake case, its
    /// description the type's doc comment, if there is one. A call whose input is not a `T` fails with an error that the model reads.
    ///
    /// # Panics
    /// If there is a component of this name, or the type's name does not give one.
    #[cfg(feature = "tools")]
    #[must_use]
    #[track_caller]
    pub fn component<T: schemars::JsonSchema + serde::de::DeserializeOwned>(self) -> Self {
        let schema = schemars::schema_for!(T).to_value();
        let description = schema["description"].as_str().unwrap_or_default().to_owned();
        let name = component::snake_case(&T::schema_name());
        let is_valid = |input: &Value| T::deserialize(input).map(drop).map_err(|error| error.to_string());
        match self.add(Component::new(name, description, schema).checked_by(is_valid)) {
            Ok(genui) => genui,
            Err(error) => panic!("{error}"),
        }
    }

    /// Adds a component with this JSON Schema of its properties.
    ///
    /// # Errors
    /// There is a component of this name, the name does not match `^[a-z][a-z0-9_]*$` or is longer than 48 characters,
    /// or the schema is not an object.
    pub fn with_schema(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        schema: Value,
    ) -> Result<Self, GenUiError> {
        self.add(Component::new(name.into(), description.into(), schema))
    }

    /// Reads components from JSON: `{"components":[{"name":"weather_card","description":"…","schema":{…}}]}`.
    ///
    /// # Errors
    /// The text is not such JSON, or a component is not valid.
    pub fn from_json(text: &str) -> Result<Self, GenUiError> {
        file::read(text)
    }

    /// What `GET /genui/schema` answers if there are components.
    #[must_use]
    pub fn schema(&self) -> Value {
        let tools: Vec<_> = self.components.iter().map(Component::described).collect();
        json!({"version": "1.0", "server_name": SERVER, "prefix": PREFIX, "tools": tools})
    }

    /// The route `GET /genui/schema` as a service of its own, to be mounted anywhere.
    #[must_use]
    pub fn service(&self) -> GenUiSchema {
        GenUiSchema::new(self)
    }

    /// Whether there are no components.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    fn add(mut self, component: Component) -> Result<Self, GenUiError> {
        component.validate()?;
        if self.components.iter().any(|other| other.name == component.name) {
            return Err(GenUiError::new(format!(
                "there are two components of the name `{}`",
                component.name
            )));
        }
        self.components.push(component);
        Ok(self)
    }
}
