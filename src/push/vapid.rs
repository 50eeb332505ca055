//! The key by which push services know this server (VAPID, RFC 8292).

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;
use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer},
    elliptic_curve::rand_core::OsRng,
};
use serde::Serialize;

use super::encrypt::point;
use crate::storage::subscriptions::PrivateKey;

/// Lifetime of a token. Push services accept up to a day.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// The private key of a server, by which push services know that a push comes from whom the device has subscribed to.
///
/// It is written as 32 bytes in base64url, as `npx web-push generate-vapid-keys` prints it.
#[derive(Clone)]
pub struct ServerKey {
    secret: SecretKey,
}

/// A text that is no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a push key is 32 bytes in base64url, such as `npx web-push generate-vapid-keys` prints as the private key"
)]
pub struct InvalidKey;

impl std::str::FromStr for ServerKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes =
            BASE64_URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).map_err(|_| InvalidKey)?;
        Self::read(&bytes.try_into().map_err(|_| InvalidKey)?)
    }
}

impl ServerKey {
    pub(super) fn random() -> PrivateKey {
        SecretKey::random(&mut OsRng).to_bytes().into()
    }

    pub(super) fn read(key: &PrivateKey) -> Result<Self, InvalidKey> {
        Ok(Self { secret: SecretKey::from_slice(key).map_err(|_| InvalidKey)? })
    }

    /// The public key, as browsers take it: an uncompressed point in base64url.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(point(&self.secret.public_key()))
    }

    /// The `Authorization` header of a push to a push service with this origin.
    pub(super) fn authorization(&self, origin: &str, contact: &str, now: SystemTime) -> HeaderValue {
        #[derive(Serialize)]
        struct Claims<'a> {
            aud: &'a str,
            exp: u64,
            sub: &'a str,
        }
        let exp = (now.duration_since(UNIX_EPOCH).unwrap_or_default() + LIFETIME).as_secs();
        let claims = serde_json::to_vec(&Claims { aud: origin, exp, sub: contact }).expect("made of strings");
        let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(br#"{"typ":"JWT","alg":"ES256"}"#), encode(&claims));
        let signature: Signature = SigningKey::from(&self.secret).sign(signed.as_bytes());
        let header = format!("vapid t={signed}.{}, k={}", encode(&signature.to_bytes()), self.public());
        let mut header = HeaderValue::from_str(&header).expect("base64url is ASCII");
        header.set_sensitive(true);
        header
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier};

    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_printed_and_shown_without_its_secret() {
        // The pair of RFC 8291, appendix A.
        let text = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
        let public =
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
        let key: ServerKey = format!("{text}\n").parse().unwrap();
        assert_eq!(key.public(), public);
        assert!(!format!("{key:?}").contains(text));
        let zero = BASE64_URL_SAFE_NO_PAD.encode([0; 32]);
        for wrong in ["", "yfWP", &text[1..], &format!("{text}AA"), &zero] {
            assert_eq!(wrong.parse::<ServerKey>().unwrap_err(), InvalidKey, "{wrong}");
        }
    }

    #[test]
    fn a_token_names_its_push_service_and_is_signed() {
        let key = ServerKey::read(&ServerKey::random()).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let header = key.authorization("https://push.example", "mailto:ops@a.example", now);
        assert!(header.is_sensitive());
        let header = header.to_str().unwrap().strip_prefix("vapid t=").unwrap();
        let (token, public) = header.split_once(", k=").unwrap();
        assert_eq!(public, key.public());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let claims = String::from_utf8(decode(signed.split_once('.').unwrap().1)).unwrap();
        assert_eq!(claims, r#"{"aud":"https://push.example","exp":1043200,"sub":"mailto:ops@a.example"}"#);
        let verifying = VerifyingKey::from_sec1_bytes(&decode(public)).unwrap();
        let signature = Signature::from_slice(&decode(signature)).unwrap();
        verifying.verify(signed.as_bytes(), &signature).unwrap();
    }
}
