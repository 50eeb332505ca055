//! The disk fails for a while, or for good.

use std::path::Path;

use http::StatusCode;
use rustix::io::Errno;
use serde_json::json;

use crate::{
    device::Device,
    faulty_disk::FaultyDisk,
    long_turn,
    support::{Builder, Client, Server, eventually},
};

const WORDS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_once_a_disk_that_could_not_be_written_works_again() {
    let disk = FaultyDisk::new();
    let server = disk.put_before(stored_on(&disk.path())).start().await;
    fails_and_goes_on(server, "disk I/O error", || disk.fail(Errno::IO), || disk.mend()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_once_a_disk_that_was_made_read_only_can_be_written() {
    let disk = FaultyDisk::new();
    let server = disk.put_before(stored_on(&disk.path())).start().await;
    fails_and_goes_on(server, "readonly database", || disk.fail(Errno::ROFS), || disk.mend()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_once_a_device_that_refused_writes_takes_them() {
    let Some(device) = Device::mount() else { return };
    let server = stored_on(device.path()).start().await;
    fails_and_goes_on(server, "disk I/O error", || device.fail(), || device.mend()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_kernel_remounts_the_disk_read_only() {
    let Some(device) = Device::mount() else { return };
    let server = stored_on(device.path()).start().await;
    let mut reader = long_turn::begin(&server, WORDS).await;
    device.make_read_only();
    does_not_write(&server.client(), "readonly database").await;
    assert!(!server.log().contains("panicked"), "{}", server.log());

    let stopped = server.kill();
    device.mount_again();
    let _server = stopped.start().await;
    let result = reader.until("result").await;
    assert_eq!(result["terminal_reason"], "server_restart");
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
}

fn stored_on(disk: &Path) -> Builder {
    Server::builder().option("--store", format!("sqlite:{}", disk.join("sessions.db").display()))
}

async fn fails_and_goes_on(server: Server, reason: &str, fail: impl Fn(), mend: impl Fn()) {
    let client = server.client();
    let reader = long_turn::begin(&server, WORDS).await;
    // More than once, because what the first time leaves behind must not spoil the second.
    for _ in 0..3 {
        assert_eq!(client.get("/readyz").await.status, StatusCode::OK);
        fail();
        does_not_write(&client, reason).await;
        mend();
        eventually("200 on /readyz", async || client.get("/readyz").await.status == StatusCode::OK).await;
    }

    long_turn::ends(reader, WORDS).await;
    client.created(&json!({})).await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Checks what a client sees of a server that cannot write.
async fn does_not_write(client: &Client, reason: &str) {
    // The first error may be another one; what lasts is what the disk says.
    let unready = async || {
        let ready = client.get("/readyz").await;
        ready.status == StatusCode::SERVICE_UNAVAILABLE && ready.detail().contains(reason)
    };
    eventually(reason, unready).await;
    let refused = client.create(&json!({})).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
}
