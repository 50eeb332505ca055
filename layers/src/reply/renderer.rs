use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};

use super::{Refusal, Render};

/// How a layer answers what it refuses: by its [`Render`], or else with JSON.
///
/// It is boxed, so that the types of the layers have no parameter for what few programs set.
#[derive(Clone, Default)]
pub(crate) struct Renderer(Option<Arc<dyn Render + Send + Sync>>);

impl Renderer {
    pub(crate) const JSON: Self = Self(None);

    pub(crate) fn new(render: impl Render + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(render)))
    }

    /// Answers the request with this head later, when it is gone. The head is kept only if it is needed.
    #[cfg(feature = "resume")]
    pub(crate) fn of(&self, request: &Parts) -> Refuse {
        let is_head = request.method == Method::HEAD;
        let rendered = self.0.is_some().then(|| (self.clone(), Box::new(request.clone())));
        Refuse { is_head, rendered }
    }

    /// The answer to the request with this head.
    pub(crate) fn answer<B: From<Bytes>>(&self, refusal: Refusal, request: &Parts) -> Response<B> {
        let head = request.method == Method::HEAD;
        let Some(render) = &self.0 else { return refusal.into_response(head) };
        let mut response = render.render(refusal, request);
        if head {
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length);
            response.body_mut().clear();
        }
        response.map(B::from)
    }
}

/// Answers one request, if it is refused.
#[cfg(feature = "resume")]
#[derive(Debug)]
pub(crate) struct Refuse {
    is_head: bool,
    rendered: Option<(Renderer, Box<Parts>)>,
}

#[cfg(feature = "resume")]
impl Refuse {
    pub(crate) fn answer<B: From<Bytes>>(&self, refusal: Refusal) -> Response<B> {
        match &self.rendered {
            Some((renderer, request)) => renderer.answer(refusal, request),
            None => refusal.into_response(self.is_head),
        }
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Render" } else { "Json" })
    }
}
