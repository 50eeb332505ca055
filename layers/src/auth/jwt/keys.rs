use std::{fmt, sync::Arc};

use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, jwk::Jwk};
use serde_json::Value;

use super::{Algorithm, JwksSource, JwtError, source::ErasedSource};

/// Minimum length of a secret, in bytes: as long as the shortest hash (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;

/// Minimum length of an RSA modulus, in bytes: 2048 bits (RFC 7518, section 3.3).
const SHORTEST_MODULUS: usize = 256;

/// Maximum number of keys tried on a token.
const MOST_TRIED: usize = 16;

/// The keys that check the signatures of tokens.
///
/// ```
/// use agent_webkit_layers::auth::jwt::{JwtError, Keys};
///
/// assert_eq!(Keys::secret("too short").unwrap_err(), JwtError::WeakSecret);
/// assert!(Keys::secret("a secret of at least 32 characters").is_ok());
/// ```
#[derive(Clone)]
pub struct Keys(pub(super) Origin);

#[derive(Clone)]
pub(super) enum Origin {
    Fixed(KeySet),
    Source(Arc<dyn ErasedSource>),
}

impl Keys {
    /// A secret that is shared with the issuer, for the `HS` algorithms.
    ///
    /// # Errors
    /// It is shorter than 32 bytes.
    pub fn secret(secret: impl AsRef<[u8]>) -> Result<Self, JwtError> {
        let secret = secret.as_ref();
        if secret.len() < SHORTEST_SECRET {
            return Err(JwtError::WeakSecret);
        }
        let key = Key { id: None, algorithm: None, inner: DecodingKey::from_secret(secret) };
        Ok(Self(Origin::Fixed(KeySet::new([key]))))
    }

    /// Public keys in PEM, one or several: RSA, EC (P-256, P-384) or Ed25519.
    ///
    /// # Errors
    /// There is no key, or one of them cannot be read or is a private key.
    pub fn public_pem(pem: impl AsRef<[u8]>) -> Result<Self, JwtError> {
        const BEGIN: &str = "-----BEGIN ";
        let text = std::str::from_utf8(pem.as_ref()).map_err(|_| JwtError::UnreadableKey)?;
        let keys: Vec<Key> = text
            .split(BEGIN)
            .skip(1)
            .map(|block| public_key(&format!("{BEGIN}{block}")))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(JwtError::UnreadableKey);
        }
        Ok(Self(Origin::Fixed(KeySet::new(keys))))
    }

    /// A JSON Web Key Set that does not change.
    ///
    /// # Errors
    /// The document is not a key set, or has no usable key.
    pub fn jwk_set(document: impl AsRef<[u8]>) -> Result<Self, JwtError> {
        KeySet::parse(document.as_ref()).map(|set| Self(Origin::Fixed(set))).ok_or(JwtError::UnreadableKey)
    }

    /// The JSON Web Key Set from this source, which is read again from time to time.
    pub fn jwks(source: impl JwksSource) -> Self {
        Self(Origin::Source(Arc::new(source)))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The parsed keys.
#[derive(Clone)]
pub(super) struct KeySet(Arc<[Key]>);

pub(super) struct Key {
    id: Option<Box<str>>,
    /// The only algorithm of the key, if the key names one.
    algorithm: Option<Algorithm>,
    inner: DecodingKey,
}

impl KeySet {
    fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Parses a JSON Web Key Set. Keys of unknown kinds are skipped; `None` if no key is left.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(document).ok()?;
        let keys: Vec<Key> = document.get("keys")?.as_array()?.iter().filter_map(Key::from_jwk).collect();
        (!keys.is_empty()).then(|| Self::new(keys))
    }

    /// The keys for this algorithm. A key with another id than the token's is left out.
    pub(super) fn candidates(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &DecodingKey> {
        self.0
            .iter()
            .filter(move |key| key.is_for(algorithm))
            .filter(move |key| id.zip(key.id.as_deref()).is_none_or(|(wanted, own)| wanted == own))
            .map(|key| &key.inner)
            .take(MOST_TRIED)
    }

    pub(super) fn has_one_for(&self, algorithm: Algorithm) -> bool {
        self.candidates(algorithm, None).next().is_some()
    }
}

impl Key {
    /// Whether the key can be used with this algorithm: a public key is never used as a shared secret.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.inner.family() == algorithm.inner().family() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let for_else = text("use").is_some_and(|purpose| purpose != "sig");
        if for_else {
            return None;
        }
        let algorithm = text("alg").map(str::parse).transpose().ok()?;
        let id = text("kid").map(Box::from);
        let known: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        let inner = DecodingKey::from_jwk(&known).ok().filter(|key| !is_weak(key))?;
        Some(Self { id, algorithm, inner })
    }
}

fn public_key(pem: &str) -> Result<Key, JwtError> {
    if pem.contains("PRIVATE KEY") {
        return Err(JwtError::PrivateKey);
    }
    let pem = pem.as_bytes();
    let inner = DecodingKey::from_rsa_pem(pem)
        .or_else(|_| DecodingKey::from_ec_pem(pem))
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        .map_err(|_| JwtError::UnreadableKey)?;
    if is_weak(&inner) {
        return Err(JwtError::WeakKey);
    }
    Ok(Key { id: None, algorithm: None, inner })
}

/// Whether the key is too short. An RSA key in PEM has a few bytes besides the modulus, too few to hide a short one.
fn is_weak(key: &DecodingKey) -> bool {
    let size = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len(),
        DecodingKeyKind::SecretOrDer(bytes) => bytes.len(),
    };
    match key.family() {
        AlgorithmFamily::Rsa => size < SHORTEST_MODULUS,
        AlgorithmFamily::Hmac => size < SHORTEST_SECRET,
        AlgorithmFamily::Ec | AlgorithmFamily::Ed => false,
    }
}
