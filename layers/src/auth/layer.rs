use std::fmt;

use tower_layer::Layer;

use super::Auth;

/// Applies [`Auth`] with a verifier: bearer authentication over any service.
///
/// Every service that the layer makes, and every clone of it, has a clone of the verifier: put a verifier that is
/// expensive to clone into an [`Arc`](std::sync::Arc).
#[derive(Clone, Copy)]
pub struct AuthLayer<V> {
    verifier: V,
}

impl<V> AuthLayer<V> {
    /// A layer that checks requests with this [`Verify`](super::Verify).
    pub const fn new(verifier: V) -> Self {
        Self { verifier }
    }
}

impl<S, V: Clone> Layer<S> for AuthLayer<V> {
    type Service = Auth<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth::new(inner, self.verifier.clone())
    }
}

impl<V> fmt::Debug for AuthLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer").finish_non_exhaustive()
    }
}
