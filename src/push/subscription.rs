//! What a browser says of a device: where to send, and the keys to encrypt with.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::PublicKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    encrypt::{DeviceKeys, POINT},
    services::PushServices,
};
use crate::webhooks::EventKind;

/// A browser's `PushSubscription` as JSON, and the kinds of events that the device is notified of.
#[derive(Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) endpoint: String,
    keys: Keys,
    #[serde(default = "all")]
    events: Vec<EventKind>,
}

#[derive(Serialize, Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

fn all() -> Vec<EventKind> {
    EventKind::ALL.into()
}

impl Subscription {
    /// Reads a request's body.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence that does not repeat the address or a key.
    pub(super) fn read(body: &[u8], services: &PushServices) -> Result<Self, String> {
        let subscription: Self = serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            format!("the body is no push subscription as JSON: {place}")
        })?;
        services.check(&subscription.endpoint).map_err(|_| {
            "endpoint: it is at no push service that this server sends to (--push-service)".to_owned()
        })?;
        subscription.keys().ok_or("keys: p256dh is a point of P-256 and auth 16 bytes, in base64url")?;
        Ok(subscription)
    }

    /// Reads one that was stored.
    pub(super) fn decode(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }

    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("made of strings")
    }

    /// Names the device. The same address is the same device, whoever asks for its notifications.
    pub(super) fn id(&self) -> String {
        hex::encode(&Sha256::digest(&self.endpoint)[..16])
    }

    pub(super) fn gets(&self, kind: EventKind) -> bool {
        self.events.contains(&kind)
    }

    pub(super) fn keys(&self) -> Option<DeviceKeys> {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let point = decode(&self.keys.p256dh).filter(|point| point.len() == POINT)?;
        let public = PublicKey::from_sec1_bytes(&point).ok()?;
        Some(DeviceKeys { public, auth: decode(&self.keys.auth)?.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";

    fn body() -> Value {
        let keys = json!({"p256dh": POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg"});
        json!({"endpoint": "https://fcm.googleapis.com/fcm/send/s3cret", "expirationTime": null, "keys": keys})
    }

    fn read(body: &Value) -> Result<Subscription, String> {
        Subscription::read(body.to_string().as_bytes(), &PushServices::default())
    }

    #[test]
    fn what_a_browser_gives_is_read_and_kept() {
        let subscription = read(&body()).unwrap();
        let again = Subscription::decode(&subscription.encode()).unwrap();
        assert_eq!((again.id(), again.id().len()), (subscription.id(), 32));
        assert!(EventKind::ALL.into_iter().all(|kind| again.gets(kind)));
        let mut some = body();
        some["events"] = json!(["prompts"]);
        let some = read(&some).unwrap();
        assert!(some.gets(EventKind::Prompts) && !some.gets(EventKind::Results));
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        let with = |pointer: &str, value: Value| {
            let mut body = body();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        // A point beside the curve, a compressed one, and the one at infinity.
        let beside = format!("{}A", &POINT[..POINT.len() - 1]);
        for (wrong, named) in [
            (json!({"endpoint": 1}), "the body"),
            (json!([]), "the body"),
            (with("/endpoint", json!("https://evil.test/s3cret")), "endpoint"),
            (with("/keys/p256dh", json!(beside)), "keys"),
            (with("/keys/p256dh", json!("AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx")), "keys"),
            (with("/keys/p256dh", json!("AA")), "keys"),
            (with("/keys/auth", json!("BTBZMqHH6r4Tts7J_aSI")), "keys"),
            (with("/keys/auth", json!("s3cret!")), "keys"),
        ] {
            let error = read(&wrong).map(|_| ()).unwrap_err();
            assert!(error.starts_with(named) && !error.contains("s3cret"), "{wrong}: {error}");
        }
    }
}
