use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::request::Parts;
use pin_project_lite::pin_project;

use super::{Denied, Verify};

/// Two verifiers of the same type of principal, of which one has to accept the request.
///
/// Both verifiers get the request, and the second one's decision is awaited only if the first one denies the
/// request. If both deny it, the result is [`Unavailable`](Denied::Unavailable) if one of them could not check the
/// credential now, else [`Forbidden`](Denied::Forbidden) if one of them returned that, else
/// [`Invalid`](Denied::Invalid) if the request had a credential, else [`Missing`](Denied::Missing).
///
/// The names of all verifiers share one namespace: if two verifiers could give the same name to different people,
/// give them different prefixes.
///
/// ```
/// use agent_webkit_layers::auth::{AnyOf, AuthLayer, Denied, Principal, StaticTokens, TokenError, verify_fn};
/// use http::request::Parts;
/// # use std::future::ready;
///
/// let people = StaticTokens::default().with("ada", "s3cret")?;
/// let robots = verify_fn(|parts: &Parts| {
///     ready(match parts.headers.get("x-robot") {
///         None => Err(Denied::Missing),
///         Some(key) if key == "k" => Ok(Principal::new("robot")),
///         Some(_) => Err(Denied::Invalid),
///     })
/// });
/// let layer = AuthLayer::new(AnyOf::new(people, robots));
/// # let _ = layer;
/// # Ok::<(), TokenError>(())
/// ```
#[derive(Clone, Copy)]
pub struct AnyOf<A, B> {
    first: A,
    second: B,
}

impl<A, B> AnyOf<A, B> {
    /// Tries `first`, then `second`.
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    /// Adds one more verifier, which is tried last.
    pub const fn or<C>(self, third: C) -> AnyOf<Self, C> {
        AnyOf::new(self, third)
    }
}

impl<A: Verify, B: Verify<Principal = A::Principal>> Verify for AnyOf<A, B> {
    type Principal = A::Principal;
    type Future = AnyOfFuture<A::Future, B::Future>;

    fn verify(&self, parts: &Parts) -> Self::Future {
        AnyOfFuture { first: self.first.verify(parts), second: self.second.verify(parts), refused: None }
    }
}

impl<A, B> fmt::Debug for AnyOf<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOf").finish_non_exhaustive()
    }
}

pin_project! {
    /// The decision of [`AnyOf`].
    pub struct AnyOfFuture<F, G> {
        #[pin]
        first: F,
        #[pin]
        second: G,
        refused: Option<Denied>,
    }
}

impl<F, G, P> Future for AnyOfFuture<F, G>
where
    F: Future<Output = Result<P, Denied>>,
    G: Future<Output = Result<P, Denied>>,
{
    type Output = Result<P, Denied>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let refused = match *this.refused {
            Some(denied) => denied,
            None => match std::task::ready!(this.first.poll(cx)) {
                Ok(principal) => return Poll::Ready(Ok(principal)),
                Err(denied) => *this.refused.insert(denied),
            },
        };
        this.second.poll(cx).map_err(|denied| more_telling(refused, denied))
    }
}

impl<F, G> fmt::Debug for AnyOfFuture<F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOfFuture").finish_non_exhaustive()
    }
}

fn more_telling(a: Denied, b: Denied) -> Denied {
    let weight = |denied| match denied {
        Denied::Missing => 0,
        Denied::Invalid => 1,
        Denied::Forbidden => 2,
        Denied::Unavailable => 3,
    };
    if weight(b) > weight(a) { b } else { a }
}
