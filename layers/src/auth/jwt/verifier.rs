use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use http::request::Parts;
use jsonwebtoken::{Validation, decode, decode_header};

use super::{
    Algorithm,
    cache::Cache,
    claims::{Claims, Reading},
    keys::KeySet,
};
use crate::auth::{Denied, Principal, Verify, bearer};

/// A verifier of JSON Web Tokens. Cloning is cheap, and clones share their keys.
///
/// See the [module](super) for the conditions.
///
/// ```
/// use agent_webkit_layers::auth::jwt::{Algorithm, Jwt, JwtError, JwksFile, Keys};
///
/// # fn jwt() -> Result<Jwt, JwtError> {
/// Jwt::builder(Keys::jwks(JwksFile::new("/etc/keys.json")))
///     .algorithms([Algorithm::Es256])
///     .issuer("https://id.example.com/")
///     .audience("agents")
///     .build()
/// # }
/// # jwt()?;
/// # Ok::<(), JwtError>(())
/// ```
#[derive(Clone)]
pub struct Jwt(pub(super) Arc<Rules>);

pub(super) struct Rules {
    pub(super) keys: Held,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) validation: Validation,
    pub(super) reading: Reading,
    pub(super) max_size: usize,
}

pub(super) enum Held {
    Fixed(KeySet),
    Cached(Arc<Cache>),
}

impl Verify for Jwt {
    type Principal = Principal;
    type Future = VerifyFuture;

    fn verify(&self, parts: &Parts) -> Self::Future {
        let token = match bearer(&parts.headers).and_then(|token| self.0.read(token)) {
            Ok(token) => token,
            Err(denied) => return VerifyFuture::decided(Err(denied)),
        };
        match &self.0.keys {
            Held::Fixed(keys) => VerifyFuture::decided(self.0.decide(&token, keys)),
            Held::Cached(cache) => {
                let (rules, cache) = (Arc::clone(&self.0), Arc::clone(cache));
                VerifyFuture(State::Waiting(Box::pin(async move {
                    let keys = cache.get(|keys| token.keys_in(keys).next().is_some()).await;
                    rules.decide(&token, &keys.ok_or(Denied::Unavailable)?)
                })))
            }
        }
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("algorithms", &self.0.algorithms).finish_non_exhaustive()
    }
}

/// A token with an acceptable header, whose signature and claims are not checked yet.
struct Token {
    text: String,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Token {
    fn keys_in<'a>(&self, keys: &'a KeySet) -> impl Iterator<Item = &'a jsonwebtoken::DecodingKey> {
        keys.candidates(self.algorithm, self.key_id.as_deref())
    }
}

impl Rules {
    fn read(&self, text: &str) -> Result<Token, Denied> {
        if text.len() > self.max_size {
            return Err(Denied::Invalid);
        }
        let header = decode_header(text).map_err(|_| Denied::Invalid)?;
        let allowed = self.algorithms.iter().find(|allowed| allowed.inner() == header.alg);
        match (allowed, header.crit) {
            (Some(algorithm), None) => {
                Ok(Token { text: text.to_owned(), algorithm: *algorithm, key_id: header.kid })
            }
            _ => Err(Denied::Invalid),
        }
    }

    fn decide(&self, token: &Token, keys: &KeySet) -> Result<Principal, Denied> {
        let validation = Validation { algorithms: vec![token.algorithm.inner()], ..self.validation.clone() };
        token
            .keys_in(keys)
            .find_map(|key| decode::<Claims>(&token.text, key, &validation).ok())
            .and_then(|checked| self.reading.principal(&checked.claims))
            // `decode` still accepts a token in the second of its `exp`, but a stream opened then would end at once.
            .filter(|bearer| bearer.expires_at.is_some_and(|end| end > SystemTime::now()))
            .ok_or(Denied::Invalid)
    }
}

/// The decision of [`Jwt`].
pub struct VerifyFuture(State);

enum State {
    Decided(Option<Result<Principal, Denied>>),
    Waiting(Pin<Box<dyn Future<Output = Result<Principal, Denied>> + Send>>),
}

impl VerifyFuture {
    fn decided(decision: Result<Principal, Denied>) -> Self {
        Self(State::Decided(Some(decision)))
    }
}

impl Future for VerifyFuture {
    type Output = Result<Principal, Denied>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Decided(decision) => Poll::Ready(decision.take().expect("polled after it was ready")),
            State::Waiting(decision) => decision.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for VerifyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFuture").finish_non_exhaustive()
    }
}
