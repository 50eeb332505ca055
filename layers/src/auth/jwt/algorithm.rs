use std::{fmt, str::FromStr};

use jsonwebtoken::AlgorithmFamily;

use super::JwtError;

/// A signature algorithm of a token (RFC 7518, section 3.1).
///
/// ```
/// use agent_webkit_layers::auth::jwt::{Algorithm, JwtError};
///
/// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
/// assert_eq!("none".parse::<Algorithm>(), Err(JwtError::UnknownAlgorithm));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// HMAC with SHA-384 and a shared secret.
    Hs384,
    /// HMAC with SHA-512 and a shared secret.
    Hs512,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

const NAMES: [(&str, Algorithm, jsonwebtoken::Algorithm); 12] = [
    ("HS256", Algorithm::Hs256, jsonwebtoken::Algorithm::HS256),
    ("HS384", Algorithm::Hs384, jsonwebtoken::Algorithm::HS384),
    ("HS512", Algorithm::Hs512, jsonwebtoken::Algorithm::HS512),
    ("RS256", Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
    ("RS384", Algorithm::Rs384, jsonwebtoken::Algorithm::RS384),
    ("RS512", Algorithm::Rs512, jsonwebtoken::Algorithm::RS512),
    ("PS256", Algorithm::Ps256, jsonwebtoken::Algorithm::PS256),
    ("PS384", Algorithm::Ps384, jsonwebtoken::Algorithm::PS384),
    ("PS512", Algorithm::Ps512, jsonwebtoken::Algorithm::PS512),
    ("ES256", Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
    ("ES384", Algorithm::Es384, jsonwebtoken::Algorithm::ES384),
    ("EdDSA", Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
];

impl Algorithm {
    fn row(self) -> &'static (&'static str, Self, jsonwebtoken::Algorithm) {
        NAMES.iter().find(|(_, algorithm, _)| *algorithm == self).expect("every algorithm has its row")
    }

    pub(super) fn inner(self) -> jsonwebtoken::Algorithm {
        self.row().2
    }

    pub(super) fn is_secret(self) -> bool {
        self.inner().family() == AlgorithmFamily::Hmac
    }
}

impl FromStr for Algorithm {
    type Err = JwtError;

    /// Parses the exact name from a token's `alg`.
    fn from_str(name: &str) -> Result<Self, JwtError> {
        NAMES
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, algorithm, _)| *algorithm)
            .ok_or(JwtError::UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_none_is_not_among_them() {
        for (name, algorithm, inner) in NAMES {
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(format!("{inner:?}"), name);
        }
        for wrong in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "ES512"] {
            assert_eq!(wrong.parse::<Algorithm>(), Err(JwtError::UnknownAlgorithm), "{wrong:?}");
        }
    }
}
