//! Why a request body was refused.

/// Why a body was refused. The text is one sentence and names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Not JSON at all.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A string holds half of a surrogate pair, which is no text. The field that it stands in, if it has a name.
    #[error("{0} holds an escape of half a surrogate pair, which is no character; send valid Unicode")]
    LoneSurrogate(String),
    /// JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field is missing, of the wrong type, or has a value that is not known.
    #[error("{0}")]
    Field(String),
}
