//! Encrypts a message for one device (RFC 8291, with the content coding `aes128gcm` of RFC 8188).

use aes_gcm::{Aes128Gcm, KeyInit, aead::AeadInPlace};
use hkdf::Hkdf;
use p256::{
    PublicKey, SecretKey,
    ecdh::diffie_hellman,
    elliptic_curve::{
        rand_core::{OsRng, RngCore},
        sec1::ToEncodedPoint,
    },
};
use sha2::Sha256;

/// Size of the one record, which every push service accepts.
const RECORD: u32 = 4096;

/// Salt, size of a record, length of the key, key.
const HEAD: usize = 16 + 4 + 1 + POINT;

/// Size of an uncompressed point of P-256.
pub(super) const POINT: usize = 65;

/// What the cipher adds, and the delimiter before the padding.
const ADDED: usize = 16 + 1;

/// Longest text that fits.
pub(super) const LONGEST: usize = RECORD as usize - HEAD - ADDED;

/// Texts are padded to a multiple of this, so that their length says little about them.
const PADDED: usize = 512;

/// The keys of a device, which its browser has made.
#[derive(Clone)]
pub(super) struct DeviceKeys {
    pub(super) public: PublicKey,
    pub(super) auth: [u8; 16],
}

impl DeviceKeys {
    /// Encrypts with a salt and a key of its own. `None` if the text is too long.
    pub(super) fn encrypt(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; 16];
        OsRng.fill_bytes(&mut salt);
        let padded = text.len().next_multiple_of(PADDED).min(LONGEST);
        (text.len() <= LONGEST).then(|| self.seal(text, padded, &salt, &SecretKey::random(&mut OsRng)))
    }

    /// `padded` is the length of the text with its padding.
    fn seal(&self, text: &[u8], padded: usize, salt: &[u8; 16], secret: &SecretKey) -> Vec<u8> {
        let (device, own) = (point(&self.public), point(&secret.public_key()));
        let shared = diffie_hellman(secret.to_nonzero_scalar(), self.public.as_affine());
        let info = [b"WebPush: info\0", &device[..], &own].concat();
        let input: [u8; 32] = expand(&self.auth, shared.raw_secret_bytes(), &info);
        let key: [u8; 16] = expand(salt, &input, b"Content-Encoding: aes128gcm\0");
        let nonce: [u8; 12] = expand(salt, &input, b"Content-Encoding: nonce\0");

        let mut record = text.to_vec();
        record.push(2);
        record.resize(padded + 1, 0);
        let tag = Aes128Gcm::new(&key.into()).encrypt_in_place_detached(&nonce.into(), b"", &mut record);
        let tag = tag.expect("a record is short");
        let head = [&salt[..], &RECORD.to_be_bytes(), &[65], &own].concat();
        [head, record, tag.to_vec()].concat()
    }
}

pub(super) fn point(key: &PublicKey) -> Vec<u8> {
    key.to_encoded_point(false).as_bytes().to_vec()
}

fn expand<const N: usize>(salt: &[u8], input: &[u8], info: &[u8]) -> [u8; N] {
    let mut output = [0; N];
    Hkdf::<Sha256>::new(Some(salt), input).expand(info, &mut output).expect("a key is short");
    output
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8291, section 5 and appendix A.
    #[test]
    fn the_example_of_the_standard_gives_its_bytes() {
        let device = DeviceKeys {
            public: PublicKey::from_sec1_bytes(&bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ))
            .unwrap(),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap(),
        };
        let secret = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let sealed = device.seal(text, text.len(), &salt, &secret);
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
        );
    }

    #[test]
    fn each_message_has_a_key_of_its_own_and_a_length_that_says_little() {
        let device = DeviceKeys { public: SecretKey::random(&mut OsRng).public_key(), auth: [7; 16] };
        let sealed = |length: usize| device.encrypt(&vec![b'a'; length]);
        let (one, other) = (sealed(1).unwrap(), sealed(500).unwrap());
        assert_eq!(one.len(), other.len());
        assert_ne!(one[..HEAD], other[..HEAD]);
        assert_eq!(sealed(LONGEST).unwrap().len(), RECORD as usize);
        assert!(sealed(LONGEST + 1).is_none());
    }
}
