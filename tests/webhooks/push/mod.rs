//! Notifications on devices. Push services are receivers on loopback, which the operator's option allows.

mod deliveries;
mod hosts;
mod subscriptions;

use serde_json::{Value, json};

use crate::{
    receiver::{Received, Receiver, node},
    support::{Builder, Client, Reply},
};

pub(crate) const CONTACT: &str = "mailto:ops@example.com";

/// The device of RFC 8291, appendix A.
const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

/// A server that sends to this push service.
fn pushing(builder: Builder, service: &Receiver) -> Builder {
    builder.option("--push", CONTACT).option("--push-service", service.origin())
}

/// What a browser says of a device at this address.
fn subscription(endpoint: &str) -> Value {
    json!({"endpoint": endpoint, "expirationTime": null, "keys": {"p256dh": P256DH, "auth": AUTH}})
}

async fn subscribe(client: &Client, endpoint: &str) -> Reply {
    client.post("/push/subscriptions", subscription(endpoint).to_string()).await
}

/// Turns on notifications for the device with this name. Returns its id.
async fn subscribed(client: &Client, service: &Receiver, device: &str) -> String {
    let reply = subscribe(client, &format!("{}/{device}", service.origin())).await;
    assert_eq!(reply.status, 200, "{}", reply.detail());
    reply.json()["id"].as_str().expect("an id").to_owned()
}

async fn public_key(client: &Client) -> String {
    let reply = client.get("/push").await;
    assert_eq!(reply.status, 200);
    reply.json()["public_key"].as_str().expect("a key").to_owned()
}

/// What the device reads in these pushes, and the claims of their sender.
async fn opened(pushes: &[Received], public_key: &str) -> Vec<Value> {
    let json = |Received { body, headers, .. }: &Received| json!({"body": body, "headers": headers, "public_key": public_key});
    let lines = node("open_push.mjs", pushes.iter().map(json)).await;
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
