//! The layers as methods of tower's [`ServiceBuilder`].
//!
//! ```
//! use agent_webkit_layers::{auth::{StaticTokens, TokenError}, builder::ServiceBuilderExt, resume::{RingLog, StreamIds}};
//! use tower::ServiceBuilder;
//!
//! # fn layers(next_uuid: fn() -> String) -> Result<(), TokenError> {
//! let layers = ServiceBuilder::new()
//!     .auth(StaticTokens::new(["s3cret"])?)
//!     .record(RingLog::default(), StreamIds::new(next_uuid));
//! // layers.service(proxy)
//! # let _ = layers;
//! # Ok(())
//! # }
//! ```
//!
//! Each method applies a layer with its default settings; one that has others goes through
//! [`ServiceBuilder::layer`].

#[cfg(any(feature = "lookup", feature = "resume"))]
use http::request::Parts;
use tower::ServiceBuilder;
#[cfg(any(feature = "auth", feature = "lookup", feature = "resume"))]
use tower_layer::Stack;

#[cfg(feature = "auth")]
use crate::auth::{AuthLayer, Verify};
#[cfg(feature = "lookup")]
use crate::lookup::{LookupLayer, Resolve};
#[cfg(feature = "resume")]
use crate::resume::{Attachment, EventLog, EventStream, Identify, RecordLayer, ResumeLayer};

/// Adds the layers of this crate to a [`ServiceBuilder`]. See the [module](self).
pub trait ServiceBuilderExt<L>: sealed::Sealed + Sized {
    /// Bearer authentication with this verifier: [`AuthLayer::new`].
    #[cfg(feature = "auth")]
    fn auth<V: Verify>(self, verifier: V) -> ServiceBuilder<Stack<AuthLayer<V>, L>>;

    /// The value of a request's id, or a 404: [`LookupLayer::new`].
    #[cfg(feature = "lookup")]
    fn lookup<X, I, R>(self, extract: X, resolver: R) -> ServiceBuilder<Stack<LookupLayer<X, R>, L>>
    where
        X: Fn(&Parts) -> Option<I>,
        I: AsRef<str>,
        R: Resolve;

    /// Event streams of the inner service that can be resumed: [`RecordLayer::new`].
    #[cfg(feature = "resume")]
    fn record<G, I>(self, log: G, identify: I) -> ServiceBuilder<Stack<RecordLayer<G, I>, L>>
    where
        G: EventLog,
        I: Identify;

    /// Event streams of your own log that can be resumed: [`ResumeLayer::attach`].
    #[cfg(feature = "resume")]
    fn attach<F, St>(self, find: F) -> ServiceBuilder<Stack<ResumeLayer<F>, L>>
    where
        F: Fn(&Parts) -> Option<Attachment<St>>,
        St: EventStream;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    #[cfg(feature = "auth")]
    fn auth<V: Verify>(self, verifier: V) -> ServiceBuilder<Stack<AuthLayer<V>, L>> {
        self.layer(AuthLayer::new(verifier))
    }

    #[cfg(feature = "lookup")]
    fn lookup<X, I, R>(self, extract: X, resolver: R) -> ServiceBuilder<Stack<LookupLayer<X, R>, L>>
    where
        X: Fn(&Parts) -> Option<I>,
        I: AsRef<str>,
        R: Resolve,
    {
        self.layer(LookupLayer::new(extract, resolver))
    }

    #[cfg(feature = "resume")]
    fn record<G, I>(self, log: G, identify: I) -> ServiceBuilder<Stack<RecordLayer<G, I>, L>>
    where
        G: EventLog,
        I: Identify,
    {
        self.layer(RecordLayer::new(log, identify))
    }

    #[cfg(feature = "resume")]
    fn attach<F, St>(self, find: F) -> ServiceBuilder<Stack<ResumeLayer<F>, L>>
    where
        F: Fn(&Parts) -> Option<Attachment<St>>,
        St: EventStream,
    {
        self.layer(ResumeLayer::attach(find))
    }
}

mod sealed {
    pub trait Sealed {}

    impl<L> Sealed for tower::ServiceBuilder<L> {}
}
