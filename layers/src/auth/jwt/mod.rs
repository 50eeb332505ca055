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
//! # What holds
//!
//! A token is admitted when all of this is so, and refused with the same 401 when any of it is not:
//!
//! - It is no longer than [`max_size`](JwtBuilder::max_size), and its header names one of the
//!   [`algorithms`](JwtBuilder::algorithms). There is no `none`, and shared secrets and public keys are never
//!   mixed: a builder with algorithms of both kinds is refused.
//! - One of our keys that is made for this algorithm, and has the token's `kid` if both have one, made its
//!   signature. Keys that the token itself brings or names (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
//! - It has no `crit` header.
//! - `exp` is there and not over, `nbf` is over if it is there, both with some [`leeway`](JwtBuilder::leeway).
//! - `iss` is one of the [issuers](JwtBuilder::issuer), `aud` has one of the [audiences](JwtBuilder::audience).
//! - The [claim with the name](JwtBuilder::name_claim) is a string. It becomes the principal's name, and `exp`
//!   (with the leeway) its end.
//! - The [scopes](JwtBuilder::scope_claim) are a string or a list of strings, or not there at all, which
//!   means all scopes.
//!
//! # Keys that change
//!
//! [`Keys::jwks`] takes a [`JwksSource`], such as a file, or a closure that asks a URL. The set is read when
//! it is first needed and again when it is [ten minutes old](JwtBuilder::max_age), or when a token names a key
//! that is not in it, but then [not more often than every 30 s](JwtBuilder::refresh_interval). While the
//! source is down the last set stays good. When there never was one, tokens cannot be checked: 503.

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
