use std::fmt;

/// An error in the settings of a [`Jwt`](super::Jwt). Its `Display` is one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtError {
    /// The algorithm does not exist or is not safe.
    UnknownAlgorithm,
    /// No algorithm is allowed.
    NoAlgorithm,
    /// Shared secrets and public keys are both allowed: a token could be signed with a public key.
    MixedAlgorithms,
    /// Neither an issuer nor `any_issuer` was set.
    NoIssuer,
    /// Neither an audience nor `any_audience` was set.
    NoAudience,
    /// A shared secret is shorter than 32 bytes.
    WeakSecret,
    /// An RSA key has fewer than 2048 bits.
    WeakKey,
    /// A private key was given instead of a public one.
    PrivateKey,
    /// A key cannot be read.
    UnreadableKey,
    /// There is no key for any of the algorithms.
    NoKey,
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAlgorithm => {
                "an algorithm is HS, RS, PS with 256, 384 or 512, ES256, ES384 or EdDSA"
            }
            Self::NoAlgorithm => "at least one algorithm must be allowed",
            Self::MixedAlgorithms => "HMAC and public key algorithms cannot be allowed together",
            Self::NoIssuer => "the issuer of the tokens must be given",
            Self::NoAudience => "the audience of the tokens must be given",
            Self::WeakSecret => "a shared secret must have 32 bytes or more",
            Self::WeakKey => "an RSA key must have 2048 bits or more",
            Self::PrivateKey => "the key is a private one, the public one is wanted",
            Self::UnreadableKey => "the key is neither a public RSA, EC or Ed25519 key in PEM nor a key set",
            Self::NoKey => "there is no key for any of the algorithms",
        })
    }
}

impl std::error::Error for JwtError {}
