//! [`ToolOutput`]: what a tool returns to the model.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{Value, json};

/// The result of a tool call: texts and images in order, or an error that the model reads.
///
/// ```
/// use agent_webkit::tools::ToolOutput;
///
/// let drawn = ToolOutput::text("The plan of the house:").and_image("image/png", b"\x89PNG");
/// let failed = ToolOutput::error("There is no house with this number.");
/// # let _ = (drawn, failed);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolOutput {
    content: Vec<Value>,
    is_error: bool,
}

impl ToolOutput {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().and_text(text)
    }

    /// An image in this media type, such as `image/png`.
    #[must_use]
    pub fn image(media_type: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self::default().and_image(media_type, bytes)
    }

    /// A value as the text of its JSON.
    ///
    /// # Errors
    /// The value cannot be serialized.
    pub fn json(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::to_string(value).map(Self::text)
    }

    /// A failure, in words for the model.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }

    /// Adds a text.
    #[must_use]
    pub fn and_text(mut self, text: impl Into<String>) -> Self {
        self.content.push(json!({"type": "text", "text": text.into()}));
        self
    }

    /// Adds an image in this media type, such as `image/png`.
    #[must_use]
    pub fn and_image(mut self, media_type: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        let data = BASE64_STANDARD.encode(bytes);
        self.content.push(json!({"type": "image", "data": data, "mimeType": media_type.into()}));
        self
    }

    /// Whether this is a failure.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.is_error
    }

    /// The `result` of a `tools/call`.
    pub(super) fn into_result(self) -> Value {
        json!({"content": self.content, "isError": self.is_error})
    }
}

impl From<String> for ToolOutput {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for ToolOutput {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_as_mcp_writes_it() {
        let output = ToolOutput::text("a").and_image("image/png", [0xff, 0]);
        let expected = json!({"content": [{"type": "text", "text": "a"},
            {"type": "image", "data": "/wA=", "mimeType": "image/png"}], "isError": false});
        assert_eq!(output.into_result(), expected);
        assert_eq!(ToolOutput::error("no").into_result()["isError"], true);
    }
}
