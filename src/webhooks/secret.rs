//! The secret of a webhook, and what is signed with it.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The start of a secret, as Standard Webhooks writes it.
const PREFIX: &str = "whsec_";

/// The lengths of a key in bytes that Standard Webhooks allows.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Keeps links from being signatures of webhooks, and the other way round.
const LINKS: &[u8] = b"agent-webkit link 1";

/// A secret that the server and a receiver share: `whsec_` and 24 to 64 bytes in base64.
///
/// ```
/// use agent_webkit::webhooks::Secret;
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert!("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<Secret>().is_err());
/// # Ok::<(), agent_webkit::webhooks::InvalidSecret>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text that is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is whsec_ and 24 to 64 bytes in base64")]
pub struct InvalidSecret;

impl Secret {
    /// The value of `webhook-signature`: version 1 over the id, the time in seconds since the Unix epoch, and the body.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut mac = mac(&self.0);
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// The token of a link: its content and a signature, safe in a path.
    pub(super) fn seal(&self, content: &[u8]) -> String {
        let signature = self.of_links(content).finalize().into_bytes();
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(content), BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether `token` is [`seal`](Self::seal)'s for this content.
    pub(super) fn has_sealed(&self, content: &[u8], signature: &[u8]) -> bool {
        self.of_links(content).verify_slice(signature).is_ok()
    }

    fn of_links(&self, content: &[u8]) -> Hmac<Sha256> {
        let key = mac(&self.0).chain_update(LINKS).finalize().into_bytes();
        mac(&key).chain_update(content)
    }
}

/// Splits a token into its content and its signature, neither of which is checked.
pub(super) fn open(token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (content, signature) = token.split_once('.')?;
    Some((BASE64_URL_SAFE_NO_PAD.decode(content).ok()?, BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?))
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key may have any length")
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let key = BASE64_STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        LENGTHS.contains(&key.len()).then_some(Self(key)).ok_or(InvalidSecret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_token_holds_for_its_secret_and_content_only() {
        let [one, other]: [Secret; 2] = ["a", "b"]
            .map(|key| format!("whsec_{}", BASE64_STANDARD.encode(key.repeat(32))).parse().unwrap());
        let (content, signature) = open(&one.seal(b"content")).unwrap();
        assert_eq!(content, b"content");
        assert!(one.has_sealed(b"content", &signature) && !other.has_sealed(b"content", &signature));
        assert!(!one.has_sealed(b"contents", &signature) && !one.has_sealed(b"content", &signature[1..]));
        for wrong in ["", ".", "a", "a.b.c", "!.!"] {
            assert!(open(wrong).is_none_or(|(content, signature)| !one.has_sealed(&content, &signature)));
        }
    }

    #[test]
    fn a_secret_has_a_prefix_and_a_length() {
        let of = |bytes| format!("whsec_{}", BASE64_STANDARD.encode("k".repeat(bytes))).parse::<Secret>();
        assert!(of(24).is_ok() && of(64).is_ok() && of(23).is_err() && of(65).is_err());
        assert!("whsec_not base64 at all, but long enough".parse::<Secret>().is_err());
    }
}
