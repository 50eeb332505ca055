//! Key sets that change, and sources that fail. Time is paused.
#![cfg(feature = "jwt")]

mod signing;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use agent_webkit_layers::auth::{
    Denied,
    jwt::{Algorithm, JwksFile, JwksSource, Jwt, Keys, SourceError},
};
use bytes::Bytes;
use jsonwebtoken::Algorithm as Signed;
use serde_json::{Value, json};
use tokio::time::{advance, sleep};

use signing::*;

/// A key source that returns what the test sets, fails or hangs, and counts its calls.
#[derive(Clone, Default)]
struct Source {
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
enum Says {
    #[default]
    Down,
    Hangs,
    Document(String),
}

impl JwksSource for Source {
    async fn fetch(&self) -> Result<Bytes, SourceError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let says = self.says.lock().unwrap().clone();
        match says {
            Says::Down => Err("connection refused".into()),
            Says::Hangs => std::future::pending().await,
            Says::Document(text) => {
                sleep(Duration::from_millis(50)).await;
                Ok(text.into())
            }
        }
    }
}

impl Source {
    fn of(keys: &[Value]) -> Self {
        let source = Self::default();
        source.now(keys);
        source
    }

    fn now(&self, keys: &[Value]) {
        self.say(Says::Document(key_set(keys)));
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn jwt(&self) -> Jwt {
        jwt(Keys::jwks(self.clone()))
    }
}

fn jwt(keys: Keys) -> Jwt {
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    Jwt::builder(keys).algorithms(algorithms).issuer(ISSUER).audience(AUDIENCE).build().unwrap()
}

fn rsa_key() -> Value {
    jwk("rsa", Signed::RS256, RSA)
}

fn ec_key() -> Value {
    jwk("ec", Signed::ES256, EC)
}

fn by_rsa() -> String {
    sign_as(Some("rsa"), Signed::RS256, RSA)
}

fn by_ec() -> String {
    sign_as(Some("ec"), Signed::ES256, EC)
}

#[tokio::test(start_paused = true)]
async fn the_set_is_asked_for_once_and_kept() {
    let source = Source::of(&[rsa_key(), ec_key(), jwk("ed", Signed::EdDSA, ED)]);
    let jwt = source.jwt();
    assert_eq!(source.asked(), 0, "not before it is needed");
    let (rsa, ec) = (by_rsa(), by_ec());
    let (a, b, c) = tokio::join!(verify(&jwt, &rsa), verify(&jwt, &ec), verify(&jwt, &rsa));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert!(verify(&jwt, &sign_as(Some("ed"), Signed::EdDSA, ED)).await.is_ok());
    assert!(verify(&jwt.clone(), &sign_as(None, Signed::ES256, EC)).await.is_ok(), "without a kid");
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_known_by_its_first_token() {
    let source = Source::of(&[rsa_key()]);
    let jwt = source.jwt();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    source.now(&[rsa_key(), ec_key()]);
    advance(Duration::from_secs(31)).await;
    assert!(verify(&jwt, &by_ec()).await.is_ok());
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_taken_away_is_not_good_for_longer_than_the_set() {
    let source = Source::of(&[rsa_key(), ec_key()]);
    let jwt = source.jwt();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    source.now(&[ec_key()]);
    advance(Duration::from_secs(599)).await;
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    advance(Duration::from_secs(2)).await;
    assert_eq!(verify(&jwt, &by_rsa()).await, Err(Denied::Invalid), "the first request finds it gone");
    assert!(verify(&jwt, &by_ec()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn unknown_key_ids_do_not_make_us_ask_again_and_again() {
    let source = Source::of(&[rsa_key()]);
    let jwt = source.jwt();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    let games = [
        "unknown",
        "",
        "../../etc/passwd",
        "https://evil.example/k",
        "rsa' OR 1=1",
        "rsa\0",
        &"k".repeat(8000),
    ];
    let tokens = games.map(|kid| (kid, sign_as(Some(kid), Signed::RS256, RSA)));
    for round in 0..20 {
        for (kid, token) in &tokens {
            assert_eq!(verify(&jwt, token).await, Err(Denied::Invalid), "{round} {kid:?}");
        }
    }
    assert_eq!(source.asked(), 1);
    advance(Duration::from_secs(31)).await;
    for (kid, token) in &tokens {
        assert_eq!(verify(&jwt, token).await, Err(Denied::Invalid), "{kid:?}");
    }
    assert_eq!(source.asked(), 2, "one question for all of them");
}

#[tokio::test(start_paused = true)]
async fn while_the_source_is_down_the_last_set_stays_good() {
    let source = Source::of(&[rsa_key()]);
    let jwt = source.jwt();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    let broken = [Says::Down, Says::Hangs, Says::Document("<html>".into()), Says::Document(key_set(&[]))];
    for says in broken {
        source.say(says);
        advance(Duration::from_secs(601)).await;
        assert!(verify(&jwt, &by_rsa()).await.is_ok());
        assert_eq!(verify(&jwt, &by_ec()).await, Err(Denied::Invalid));
    }
    let asked = source.asked();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    assert_eq!(source.asked(), asked, "it is not asked at every request meanwhile");
    source.now(&[ec_key()]);
    advance(Duration::from_secs(31)).await;
    assert!(verify(&jwt, &by_ec()).await.is_ok(), "it is up again");
}

#[tokio::test(start_paused = true)]
async fn without_any_set_tokens_cannot_be_checked() {
    let source = Source::default();
    let jwt = source.jwt();
    assert_eq!(verify(&jwt, &by_rsa()).await, Err(Denied::Unavailable));
    assert_eq!(verify(&jwt, "nonsense").await, Err(Denied::Invalid), "what is no token needs no key");
    assert_eq!(source.asked(), 1);
    source.now(&[rsa_key()]);
    advance(Duration::from_secs(2)).await;
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn clients_that_give_up_do_not_make_us_ask_anew() {
    let source = Source::of(&[rsa_key()]);
    let jwt = source.jwt();
    for _ in 0..10 {
        let token = by_rsa();
        let given_up = tokio::time::timeout(Duration::from_millis(2), verify(&jwt, &token)).await;
        assert!(given_up.is_err());
    }
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn a_key_is_only_used_for_what_it_says() {
    let mut for_encryption = rsa_key();
    for_encryption["use"] = json!("enc");
    let mut for_rs512 = rsa_key();
    for_rs512["alg"] = json!("RS512");
    let short = jwk("short", Signed::RS256, SHORT_RSA);
    let no_number = json!({"kty": "RSA", "kid": "rsa", "n": base64(&[0; 300]), "e": ""});
    let short_secret = json!({"kty": "oct", "k": base64(b"short")});
    let secret = json!({"kty": "oct", "kid": "rsa", "k": base64(SECRET.as_bytes())});
    let broken = json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"});
    for odd in [
        for_encryption,
        for_rs512,
        short,
        no_number,
        secret,
        short_secret,
        broken,
        json!({"kty": "?"}),
        json!(7),
        json!(null),
    ] {
        let jwt = jwt(Keys::jwk_set(key_set(&[odd.clone(), jwk("ed", Signed::EdDSA, ED)])).unwrap());
        assert_eq!(verify(&jwt, &by_rsa()).await, Err(Denied::Invalid), "{odd}");
        assert_eq!(verify(&jwt, &by_ec()).await, Err(Denied::Invalid), "{odd}");
        let by_short = sign_as(Some("short"), Signed::RS256, SHORT_RSA);
        assert_eq!(verify(&jwt, &by_short).await, Err(Denied::Invalid), "{odd}");
        let by_secret = sign_with_secret(SECRET.as_bytes(), &claims());
        assert_eq!(verify(&jwt, &by_secret).await, Err(Denied::Invalid), "{odd}");
        assert!(
            verify(&jwt, &sign_as(None, Signed::EdDSA, ED)).await.is_ok(),
            "the others still serve: {odd}"
        );
    }
}

#[tokio::test]
async fn a_file_is_read_again_when_it_has_changed() {
    let path = std::env::temp_dir().join(format!("agent-webkit-jwks-{}.json", std::process::id()));
    std::fs::write(&path, key_set(&[rsa_key()])).unwrap();
    let jwt = Jwt::builder(Keys::jwks(JwksFile::new(&path)))
        .algorithms([Algorithm::Rs256, Algorithm::Es256])
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .refresh_interval(Duration::ZERO)
        .build()
        .unwrap();
    assert!(verify(&jwt, &by_rsa()).await.is_ok());
    assert_eq!(verify(&jwt, &by_ec()).await, Err(Denied::Invalid));
    std::fs::write(&path, key_set(&[ec_key()])).unwrap();
    assert!(verify(&jwt, &by_ec()).await.is_ok());
    std::fs::remove_file(&path).unwrap();
    assert!(verify(&jwt, &by_ec()).await.is_ok(), "the last set stays good");
}
