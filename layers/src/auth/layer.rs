use std::{fmt, sync::Arc};

use http::Uri;
use tower_layer::Layer;

use super::{Auth, answers::Answers, sources::Sources};
use crate::reply::{Render, Renderer};

/// Applies [`Auth`] with a verifier: bearer authentication over any service.
///
/// Every service that the layer makes, and every clone of it, has a clone of the verifier: put a verifier that is
/// expensive to clone into an [`Arc`].
///
/// ```
/// use agent_webkit_layers::{
///     auth::{AuthLayer, StaticTokens, TokenError},
///     reply::Problems,
/// };
///
/// let tokens = StaticTokens::new(["s3cret"])?;
/// let layer = AuthLayer::new(tokens)
///     .optional()
///     .token_cookie("session")
///     .render(Problems);
/// # let _ = layer;
/// # Ok::<(), TokenError>(())
/// ```
#[derive(Clone)]
pub struct AuthLayer<V> {
    verifier: V,
    sources: Sources,
    answers: Answers,
}

impl<V> AuthLayer<V> {
    /// A layer that checks requests with this [`Verify`](super::Verify).
    pub const fn new(verifier: V) -> Self {
        Self { verifier, sources: Sources::NONE, answers: Answers::DEFAULT }
    }

    /// Passes requests without a credential to the inner service, without a principal. A credential that is not valid is
    /// still denied.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.answers.optional = true;
        self
    }

    /// Accepts the token in a query parameter of this name too, such as `access_token`, if there is no `Authorization`
    /// header. Tokens in two such parameters are not valid.
    ///
    /// URLs are logged in many places: prefer the feature `ticket`, whose credentials are short-lived, for one resource,
    /// and taken out of the URL. The inner service receives the URL as it came.
    #[must_use]
    pub fn token_query(mut self, parameter: impl Into<Arc<str>>) -> Self {
        self.sources.query = Some(parameter.into());
        self
    }

    /// Accepts the token in a cookie of this name too, if it is neither in the `Authorization` header nor in a query
    /// parameter. Tokens in two such cookies are not valid.
    ///
    /// A browser sends cookies along with what other pages request: set `SameSite`, or check the `Origin` header in front
    /// of this layer.
    #[must_use]
    pub fn token_cookie(mut self, name: impl Into<Arc<str>>) -> Self {
        self.sources.cookie = Some(name.into());
        self
    }

    /// Adds the URL of the protected resource's metadata (RFC 9728) to `WWW-Authenticate`, as `resource_metadata`, from
    /// which clients such as those of MCP learn where they get a token.
    ///
    /// ```
    /// use agent_webkit_layers::auth::{AuthLayer, StaticTokens};
    /// use http::Uri;
    ///
    /// let metadata = Uri::from_static("https://mcp.example.com/.well-known/oauth-protected-resource");
    /// let layer = AuthLayer::new(StaticTokens::default()).resource_metadata(&metadata);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn resource_metadata(mut self, url: &Uri) -> Self {
        self.answers.set_metadata(url);
        self
    }

    /// Sets how refusals are answered. By default with the JSON of the [module](super#answers).
    #[must_use]
    pub fn render(mut self, render: impl Render + Send + Sync + 'static) -> Self {
        self.answers.renderer = Renderer::new(render);
        self
    }
}

impl<S, V: Clone> Layer<S> for AuthLayer<V> {
    type Service = Auth<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        let (sources, answers) = (self.sources.clone(), self.answers.clone());
        Auth { inner, verifier: self.verifier.clone(), sources, answers }
    }
}

impl<V> fmt::Debug for AuthLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer").finish_non_exhaustive()
    }
}
