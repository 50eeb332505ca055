//! What holds for devices wherever they are stored.

use super::{Device, Devices};
use crate::unix_ms;

fn device(id: &str, owner: Option<&str>, renewed_at_ms: i64) -> Device {
    Device {
        id: id.to_owned(),
        owner: owner.map(str::to_owned),
        subscription: format!("of {id}"),
        renewed_at_ms,
        expires_at_ms: unix_ms::now_signed() + 60_000,
    }
}

async fn ids(devices: &impl Devices, owner: Option<&str>) -> Vec<String> {
    let mut ids: Vec<_> = devices.of(owner).await.unwrap().into_iter().map(|device| device.id).collect();
    ids.sort();
    ids
}

pub(super) async fn holds(devices: &impl Devices) {
    let ada = Some("a\0da");
    for (id, owner, renewed) in [("1", ada, 1), ("2", ada, 2), ("3", None, 1), ("4", ada, 3)] {
        devices.put(device(id, owner, renewed), 2).await.unwrap();
    }
    assert_eq!(ids(devices, ada).await, ["2", "4"], "the one renewed first has left");
    assert_eq!(ids(devices, None).await, ["3"]);
    assert!(ids(devices, Some("bob")).await.is_empty());
    assert_eq!(devices.get("2").await.unwrap().unwrap().subscription, "of 2");
    assert_eq!(devices.get("1").await.unwrap(), None);

    devices.remove("2", Some("bob")).await.unwrap();
    assert_eq!(ids(devices, ada).await, ["2", "4"], "it is not Bob's");
    devices.put(device("2", Some("bob"), 4), 2).await.unwrap();
    assert_eq!(ids(devices, ada).await, ["4"], "it is the last one's who has it");
    assert_eq!(ids(devices, Some("bob")).await, ["2"]);
    devices.remove("2", Some("bob")).await.unwrap();
    assert!(ids(devices, Some("bob")).await.is_empty());

    let renewed = device("4", ada, 9);
    devices.put(renewed.clone(), 2).await.unwrap();
    devices.expire(&device("4", ada, 3)).await.unwrap();
    assert_eq!(ids(devices, ada).await, ["4"], "it was renewed since");
    devices.expire(&renewed).await.unwrap();
    assert!(ids(devices, ada).await.is_empty());

    devices.put(Device { expires_at_ms: unix_ms::now_signed() - 1, ..device("5", ada, 1) }, 2).await.unwrap();
    assert!(ids(devices, ada).await.is_empty() && devices.get("5").await.unwrap().is_none());
    assert_eq!(
        (devices.key([1; 32]).await.unwrap(), devices.key([2; 32]).await.unwrap()),
        ([1; 32], [1; 32])
    );
}
