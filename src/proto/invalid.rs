//! Why a request body was refused.

/// Why a request body was refused. The text is one sentence that names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The body is not JSON, or nested too deep.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A string holds half of a surrogate pair, which is no text. The field that it stands in, if it has a name.
    #[error("{0} holds an escape of half a surrogate pair, which is no character; send valid Unicode")]
    LoneSurrogate(String),
    /// The body is JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field is missing, has the wrong type, or has an unknown value.
    #[error("{0}")]
    Field(String),
}
