//! JSON Web Tokens: which are accepted, and attacks that must be refused.
#![cfg(feature = "jwt")]

mod signing;

use std::time::{Duration, SystemTime};

use agent_webkit_layers::auth::{
    AnyOf, AuthLayer, Denied, Scopes, StaticTokens, Verify as _,
    jwt::{Algorithm, Jwt, JwtBuilder, JwtError, Keys},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use jsonwebtoken::{Algorithm as Signed, EncodingKey, Header};
use serde_json::{Map, Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use signing::*;

fn builder(keys: Keys, algorithm: Algorithm) -> JwtBuilder {
    Jwt::builder(keys).algorithms([algorithm]).issuer(ISSUER).audience(AUDIENCE)
}

fn by_rsa() -> Jwt {
    builder(Keys::public_pem(RSA_PUBLIC).unwrap(), Algorithm::Rs256).build().unwrap()
}

fn by_secret() -> Jwt {
    builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256).build().unwrap()
}

fn rsa(header: &Header, claims: &Value) -> String {
    sign(header, claims, &private_key(Signed::RS256, RSA))
}

#[derive(Clone, Debug, PartialEq)]
struct Tenant(String);

#[tokio::test]
async fn a_principal_may_be_made_of_the_claims() {
    let keys = Keys::secret(SECRET).unwrap();
    let tenant = |claims: &Map<String, Value>| Some(Tenant(claims.get("tenant")?.as_str()?.to_owned()));
    let jwt = builder(keys, Algorithm::Hs256).build_with(tenant).unwrap();
    let verify = async |secret: &str, claims: Value| {
        let token = sign_with_secret(secret.as_bytes(), &claims);
        let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
        jwt.clone().verify(&request.body(()).unwrap().into_parts().0).await
    };
    let acme = claims_with(&json!({"tenant": "acme", "sub": null, "scope": 7}));
    assert_eq!(verify(SECRET, acme.clone()).await, Ok(Tenant("acme".to_owned())));
    assert_eq!(verify("another secret of some 32 characters", acme).await, Err(Denied::Invalid));
    for wrong in [json!({}), json!({"tenant": 7}), json!({"tenant": "acme", "exp": now() - 3600})] {
        assert_eq!(verify(SECRET, claims_with(&wrong)).await, Err(Denied::Invalid), "{wrong}");
    }
}

#[tokio::test]
async fn a_good_token_of_each_algorithm_is_its_bearers() {
    let table = [
        (Algorithm::Rs256, Signed::RS256, RSA, RSA_PUBLIC),
        (Algorithm::Rs384, Signed::RS384, RSA, RSA_PUBLIC),
        (Algorithm::Rs512, Signed::RS512, RSA, RSA_PUBLIC),
        (Algorithm::Ps256, Signed::PS256, RSA, RSA_PUBLIC),
        (Algorithm::Ps384, Signed::PS384, RSA, RSA_PUBLIC),
        (Algorithm::Ps512, Signed::PS512, RSA, RSA_PUBLIC),
        (Algorithm::Es256, Signed::ES256, EC, EC_PUBLIC),
        (Algorithm::Es384, Signed::ES384, EC384, EC384_PUBLIC),
        (Algorithm::EdDsa, Signed::EdDSA, ED, ED_PUBLIC),
    ];
    for (algorithm, signed, private, public) in table {
        let jwt = builder(Keys::public_pem(public).unwrap(), algorithm).build().unwrap();
        let bearer = verify(&jwt, &sign_as(Some("any"), signed, private)).await;
        assert_eq!(&*bearer.unwrap().name, "ada", "{algorithm}");
    }
    for (algorithm, signed) in [
        (Algorithm::Hs256, Signed::HS256),
        (Algorithm::Hs384, Signed::HS384),
        (Algorithm::Hs512, Signed::HS512),
    ] {
        let jwt = builder(Keys::secret(SECRET).unwrap(), algorithm).build().unwrap();
        let token = sign(&Header::new(signed), &claims(), &EncodingKey::from_secret(SECRET.as_bytes()));
        assert_eq!(&*verify(&jwt, &token).await.unwrap().name, "ada", "{algorithm}");
    }
}

#[tokio::test]
async fn a_bearer_has_the_scopes_and_the_end_that_the_token_says() {
    let exp = now() + 600;
    let token = |scope: Value| {
        sign_with_secret(SECRET.as_bytes(), &claims_with(&json!({"exp": exp, "scope": scope})))
    };
    let jwt = builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256).leeway(Duration::from_secs(7));
    let jwt = jwt.name_prefix("id:").build().unwrap();
    let ada = verify(&jwt, &token(json!("read other"))).await.unwrap();
    assert_eq!(ada.scopes, Scopes::of(["read", "other"]));
    assert_eq!(&*ada.name, "id:ada");
    assert_eq!(ada.expires_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(exp + 7)));
    assert_eq!(verify(&jwt, &token(Value::Null)).await.unwrap().scopes, Scopes::all());

    let other = builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256);
    let other = other.scope_claim("roles").name_claim("email").build().unwrap();
    let claims = claims_with(&json!({"scope": "read", "roles": ["drive"], "email": "a@example.com"}));
    let ada = verify(&other, &sign_with_secret(SECRET.as_bytes(), &claims)).await.unwrap();
    assert_eq!((&*ada.name, ada.scopes), ("a@example.com", Scopes::of(["drive"])));
}

#[tokio::test]
async fn times_issuers_and_audiences_hold_in_every_allowed_shape() {
    let jwt =
        builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256).issuer("https://second/").build().unwrap();
    for changes in [
        json!({"exp": now() - 30}),
        json!({"nbf": now() + 30}),
        json!({"nbf": null}),
        json!({"exp": now() as f64 + 60.5}),
        json!({"aud": ["others", AUDIENCE]}),
        json!({"iss": "https://second/"}),
        json!({"iat": now() + 1000, "jti": "1", "anything": {"deep": [1]}}),
    ] {
        let token = sign_with_secret(SECRET.as_bytes(), &claims_with(&changes));
        assert!(verify(&jwt, &token).await.is_ok(), "{changes}");
    }
    let exact =
        builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256).leeway(Duration::ZERO).build().unwrap();
    let until = |exp| sign_with_secret(SECRET.as_bytes(), &claims_with(&json!({"exp": exp})));
    assert_eq!(
        verify(&exact, &until(now())).await,
        Err(Denied::Invalid),
        "exp is the first moment of the end"
    );
    assert!(verify(&exact, &until(now() + 5)).await.is_ok());

    let lax = Jwt::builder(Keys::secret(SECRET).unwrap()).algorithms([Algorithm::Hs256]);
    let lax = lax.any_issuer().any_audience().build().unwrap();
    let claims = claims_with(&json!({"iss": "anyone", "aud": ["anything"]}));
    assert!(verify(&lax, &sign_with_secret(SECRET.as_bytes(), &claims)).await.is_ok());
}

/// All of these are refused with the same answer.
#[tokio::test]
async fn every_attack_gets_the_same_401() {
    let mut attacks: Vec<(&str, String)> = Vec::new();
    for (attack, changes) in [
        ("expired", json!({"exp": now() - 61})),
        ("expired long ago", json!({"exp": 0})),
        ("no expiry", json!({"exp": null})),
        ("expiry as text", json!({"exp": (now() + 600).to_string()})),
        ("expiry below zero", json!({"exp": -1})),
        ("expiry beyond all time", json!({"exp": 1e300})),
        ("not yet valid", json!({"nbf": now() + 120})),
        ("not-before as text", json!({"nbf": "soon"})),
        ("another audience", json!({"aud": "billing"})),
        ("other audiences", json!({"aud": ["billing", "agents2"]})),
        ("no audience", json!({"aud": null})),
        ("an empty audience", json!({"aud": []})),
        ("audience as a number", json!({"aud": 1})),
        ("another issuer", json!({"iss": "https://evil.example.com/"})),
        ("almost the issuer", json!({"iss": ISSUER.trim_end_matches('/')})),
        ("no issuer", json!({"iss": null})),
        ("no name", json!({"sub": null})),
        ("an empty name", json!({"sub": ""})),
        ("a name that is a list", json!({"sub": ["ada"]})),
        ("scopes that are no text", json!({"scope": {"drive": true}})),
    ] {
        attacks.push((attack, rsa(&Header::new(Signed::RS256), &claims_with(&changes))));
    }

    let good = rsa(&Header::new(Signed::RS256), &claims());
    let [head, body, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let eve = base64(claims_with(&json!({"sub": "eve"})).to_string().as_bytes());
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    for none in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256 ", "rs256"] {
        let header = json!({"typ": "JWT", "alg": none});
        attacks.push(("alg none, unsigned", forge(&header, &claims(), "")));
        attacks.push(("alg none, with a signature", forge(&header, &claims(), signature)));
    }
    attacks.extend([
        ("no alg at all", forge(&json!({"typ": "JWT"}), &claims(), signature)),
        ("alg as a list", forge(&json!({"alg": ["RS256", "none"]}), &claims(), signature)),
        ("claims of someone else", format!("{head}.{eve}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.{signature}")),
        ("another signature", format!("{head}.{body}.{flipped}{}", &signature[1..])),
        ("half a signature", format!("{head}.{body}.{}", &signature[..100])),
        ("parts swapped", format!("{body}.{head}.{signature}")),
        ("empty parts", "..".to_owned()),
        ("padding", format!("{head}=.{body}.{signature}")),
        ("no token", "nonsense".to_owned()),
        ("header is no JSON", format!("{}.{body}.{signature}", base64(b"{"))),
        ("claims are no object", rsa(&Header::new(Signed::RS256), &json!(["ada"]))),
        ("another key", sign_as(None, Signed::RS256, OTHER_RSA)),
        ("an algorithm that is not allowed, with the right key", sign_as(None, Signed::PS256, RSA)),
        ("RS512 instead of RS256", sign_as(None, Signed::RS512, RSA)),
        ("another kind of key", sign_as(None, Signed::ES256, EC)),
        (
            "key confusion: HS256 with the public key in PEM",
            sign_with_secret(RSA_PUBLIC.as_bytes(), &claims()),
        ),
        (
            "key confusion: without the last line break",
            sign_with_secret(RSA_PUBLIC.trim_end().as_bytes(), &claims()),
        ),
        ("oversized", format!("{good}{}", "A".repeat(16 * 1024))),
        ("oversized and well-formed", {
            let claims = claims_with(&json!({"pad": "x".repeat(16 * 1024)}));
            rsa(&Header::new(Signed::RS256), &claims)
        }),
    ]);
    let own_key = jwk("own", Signed::RS256, OTHER_RSA);
    for (attack, more) in [
        ("crit", json!({"crit": ["exp"]})),
        ("a kid that is no text", json!({"kid": {"a": 1}})),
        ("brings its own key", json!({"jwk": own_key})),
    ] {
        let mut header = json!({"typ": "JWT", "alg": "RS256"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = forge(&header, &claims(), "");
        let message = message.trim_end_matches('.');
        let pem = if attack == "brings its own key" { OTHER_RSA } else { RSA };
        let key = private_key(Signed::RS256, pem);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Signed::RS256).unwrap();
        attacks.push((attack, format!("{message}.{signature}")));
    }

    let tokens = StaticTokens::new(["static"]).unwrap();
    let refused = answer(&format!("Bearer {}", "unknown"), tokens.clone()).await;
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
    for (attack, token) in attacks {
        assert_eq!(verify(&by_rsa(), &token).await, Err(Denied::Invalid), "{attack}");
        assert_eq!(answer(&format!("Bearer {token}"), tokens.clone()).await, refused, "{attack}");
    }
    assert_eq!(answer(&format!("Bearer {good}"), tokens).await.0, StatusCode::OK, "the good one still holds");
}

/// Returns the answer to a client behind static tokens and JWTs together.
async fn answer(authorization: &str, tokens: StaticTokens) -> (StatusCode, String, String) {
    let service = ServiceBuilder::new().layer(AuthLayer::new(AnyOf::new(tokens, by_rsa()))).service(
        service_fn(|_: Request<()>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        }),
    );
    let request = Request::get("/").header(AUTHORIZATION, authorization).body(()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, format!("{:?}", parts.headers), format!("{body:?}"))
}

#[tokio::test]
async fn a_secret_never_checks_what_a_private_key_signed() {
    let jwt = by_secret();
    for token in [sign_as(None, Signed::RS256, RSA), sign_as(None, Signed::ES256, EC)] {
        assert_eq!(verify(&jwt, &token).await, Err(Denied::Invalid));
    }
    for wrong in ["another secret of at least 32 chars", &SECRET[1..], ""] {
        let token = sign_with_secret(wrong.as_bytes(), &claims());
        assert_eq!(verify(&jwt, &token).await, Err(Denied::Invalid), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_token_in_another_place_or_twice_is_refused() {
    let good = rsa(&Header::new(Signed::RS256), &claims());
    let tokens = StaticTokens::new(["static"]).unwrap();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(answer(&format!("{scheme} {good}"), tokens.clone()).await.0, StatusCode::OK, "{scheme}");
    }
    for wrong in
        [good.clone(), format!("JWT {good}"), format!("Basic {good}"), format!("Bearer {good} {good}")]
    {
        assert_eq!(answer(&wrong, tokens.clone()).await.0, StatusCode::UNAUTHORIZED);
    }
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {good}"));
    let (parts, ()) = request.header(AUTHORIZATION, format!("Bearer {good}")).body(()).unwrap().into_parts();
    use agent_webkit_layers::auth::Verify;
    assert_eq!(by_rsa().verify(&parts).await, Err(Denied::Invalid), "two headers");
}

#[test]
fn settings_that_cannot_be_safe_are_refused() {
    let secret = || Keys::secret(SECRET).unwrap();
    let public = || Keys::public_pem(RSA_PUBLIC).unwrap();
    let whole = |keys, algorithms: &[Algorithm]| {
        let builder = Jwt::builder(keys).algorithms(algorithms.iter().copied());
        builder.issuer(ISSUER).audience(AUDIENCE).build().unwrap_err()
    };
    assert_eq!(whole(secret(), &[]), JwtError::NoAlgorithm);
    assert_eq!(whole(public(), &[Algorithm::Rs256, Algorithm::Hs256]), JwtError::MixedAlgorithms);
    assert_eq!(whole(secret(), &[Algorithm::Hs256, Algorithm::EdDsa]), JwtError::MixedAlgorithms);
    assert_eq!(whole(public(), &[Algorithm::Hs256]), JwtError::NoKey, "a public key is no secret");
    assert_eq!(whole(secret(), &[Algorithm::Rs256]), JwtError::NoKey);
    let rs256 = || Jwt::builder(public()).algorithms([Algorithm::Rs256]);
    assert_eq!(rs256().audience(AUDIENCE).build().unwrap_err(), JwtError::NoIssuer);
    assert_eq!(rs256().issuer(ISSUER).build().unwrap_err(), JwtError::NoAudience);

    assert_eq!(Keys::secret(&SECRET[..31]).unwrap_err(), JwtError::WeakSecret);
    assert_eq!(Keys::public_pem(SHORT_RSA_PUBLIC).unwrap_err(), JwtError::WeakKey);
    assert_eq!(Keys::public_pem(RSA).unwrap_err(), JwtError::PrivateKey);
    assert_eq!(Keys::public_pem(EC).unwrap_err(), JwtError::PrivateKey);
    for wrong in ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        assert_eq!(Keys::public_pem(wrong).unwrap_err(), JwtError::UnreadableKey, "{wrong:?}");
    }
    for wrong in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"EC"}]}"#] {
        assert_eq!(Keys::jwk_set(wrong).unwrap_err(), JwtError::UnreadableKey, "{wrong:?}");
    }
}

#[test]
fn debug_shows_no_key() {
    let shown = format!(
        "{:?} {:?} {:?}",
        Keys::secret(SECRET).unwrap(),
        by_secret(),
        builder(Keys::secret(SECRET).unwrap(), Algorithm::Hs256)
    );
    assert!(!shown.contains("secret of"), "{shown}");
}
