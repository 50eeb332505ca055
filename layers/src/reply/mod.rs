//! The answers of a layer itself: a [`Refusal`], which is the JSON `{"detail": "…"}` unless a [`Render`] makes another
//! response of it, and a body that is either such an answer or the inner service's body.

mod body;
mod json;
mod problem;
mod refusal;
mod render;
#[cfg(any(feature = "auth", feature = "lookup", feature = "resume"))]
mod renderer;

#[cfg(feature = "resume")]
pub(crate) use self::renderer::Refuse;
#[cfg(any(feature = "auth", feature = "lookup", feature = "resume"))]
pub(crate) use self::renderer::Renderer;
pub use self::{
    body::ResponseBody, json::json_response, problem::Problems, refusal::Refusal, render::Render,
};
