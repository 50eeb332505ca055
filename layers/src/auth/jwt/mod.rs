//! JSON Web Tokens as bearer tokens.
//!
//! [`Jwt`] is a [`Verify`](super::Verify) for tokens that an identity provider signs.
//!
//! ```
//! use agent_webkit_layers::auth::{
//!     AuthLayer,
//!     jwt::{Algorithm, Jwt, JwtError, Keys, JwksFile},
//! };
//!
//! # fn layer() -> Result<AuthLayer<Jwt>, JwtError> {
//! let jwt = Jwt::builder(Keys::jwks(JwksFile::new("/etc/keys.json")))
//!     .algorithms([Algorithm::Es256, Algorithm::Rs256])
//!     .issuer("https://id.example.com/")
//!     .audience("agents")
//!     .build()?;
//! # Ok(AuthLayer::new(jwt))
//! # }
//! # layer()?;
//! # Ok::<(), JwtError>(())
//! ```
//!
//! # Which tokens are valid
//!
//! A token is valid if all of these conditions hold. If one does not hold, the answer is the same 401:
//!
//! - It is no longer than [`max_size`](JwtBuilder::max_size), and its header names one of the
//!   [`algorithms`](JwtBuilder::algorithms). `none` is never allowed, and shared secrets and public keys are never
//!   mixed: a builder with algorithms of both kinds fails.
//! - Its signature is by one of the configured keys for this algorithm, and by the one with the token's `kid` if both
//!   have one. Keys that the token itself contains or names (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
//! - It has no `crit` header.
//! - It has an `exp` in the future; if it has an `nbf`, that is in the past, both with some
//!   [`leeway`](JwtBuilder::leeway).
//! - `iss` is one of the [issuers](JwtBuilder::issuer), `aud` has one of the [audiences](JwtBuilder::audience).
//! - The [claim with the name](JwtBuilder::name_claim) is a string. It becomes the principal's name, and `exp`
//!   (with the leeway) its expiry time.
//! - The [scopes](JwtBuilder::scope_claim) are a string or a list of strings. A token without this claim has all
//!   scopes.
//!
//! # Keys that change
//!
//! [`Keys::jwks`] takes a [`JwksSource`], such as a file, or a closure that requests a URL. The set is read when it is
//! first needed, again when it is [ten minutes old](JwtBuilder::max_age), and when a token names a key that is not in
//! it, but [at most every 30 s](JwtBuilder::refresh_interval). While the source is down the last set is used. If there
//! never was one, tokens cannot be checked, and the answer is 503.

mod algorithm;
mod builder;
mod cache;
mod claims;
mod error;
mod keys;
mod source;
mod verifier;

pub use self::{
    algorithm::Algorithm,
    builder::JwtBuilder,
    error::JwtError,
    keys::Keys,
    source::{JwksFile, JwksSource, SourceError},
    verifier::{Jwt, VerifyFuture},
};
