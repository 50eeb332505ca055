//! Makes tokens like those of an identity provider, and forged ones.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::time::{SystemTime, UNIX_EPOCH};

use agent_webkit_layers::auth::{Denied, Principal, Verify};
use http::{Request, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example.com/";
pub(crate) const AUDIENCE: &str = "agents";
pub(crate) const SECRET: &str = "a secret of at least 32 characters";

pub(crate) const RSA: &str = include_str!("../keys/rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../keys/rsa.pub.pem");
pub(crate) const OTHER_RSA: &str = include_str!("../keys/other-rsa.pem");
pub(crate) const SHORT_RSA: &str = include_str!("../keys/short-rsa.pem");
pub(crate) const SHORT_RSA_PUBLIC: &str = include_str!("../keys/short-rsa.pub.pem");
pub(crate) const EC: &str = include_str!("../keys/ec.pem");
pub(crate) const EC_PUBLIC: &str = include_str!("../keys/ec.pub.pem");
pub(crate) const EC384: &str = include_str!("../keys/ec384.pem");
pub(crate) const EC384_PUBLIC: &str = include_str!("../keys/ec384.pub.pem");
pub(crate) const ED: &str = include_str!("../keys/ed.pem");
pub(crate) const ED_PUBLIC: &str = include_str!("../keys/ed.pub.pem");

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a token of Ada.
pub(crate) fn claims() -> Value {
    json!({"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 600, "nbf": now() - 10})
}

/// The same claims with these changes; `null` removes a claim.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}

pub(crate) fn private_key(algorithm: Algorithm, pem: &str) -> EncodingKey {
    let pem = pem.as_bytes();
    match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem),
        _ => EncodingKey::from_rsa_pem(pem),
    }
    .unwrap()
}

pub(crate) fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

pub(crate) fn sign_with_secret(secret: &[u8], claims: &Value) -> String {
    sign(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret))
}

/// Signs a token whose header names this key.
pub(crate) fn sign_as(kid: Option<&str>, algorithm: Algorithm, pem: &str) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    sign(&header, &claims(), &private_key(algorithm, pem))
}

/// A key as an entry of a key set.
pub(crate) fn jwk(kid: &str, algorithm: Algorithm, pem: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(&private_key(algorithm, pem), algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

pub(crate) fn key_set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// A token with this header, these claims and this signature, valid or not.
pub(crate) fn forge(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

/// base64url without padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

pub(crate) async fn verify(
    verifier: &impl Verify<Principal = Principal>,
    token: &str,
) -> Result<Principal, Denied> {
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
    let (parts, ()) = request.into_parts();
    verifier.verify(&parts).await
}
