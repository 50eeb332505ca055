//! The disk is full for a while.

use crate::{
    reader::Reader,
    small_disk::SmallDisk,
    support::{Script, Server, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_once_a_full_disk_has_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let store = format!("sqlite:{}", disk.path().join("sessions.db").display());
    let server = Server::builder().option("--store", store).start().await;
    let client = server.client();
    let mut reader = Reader::create(server.client()).await;
    reader.say("slow", Script::slow(400, 10).to_string()).await;
    reader.until("message_delta").await;
    assert_eq!(client.get("/readyz").await.status, 200);

    disk.fill();
    let unready = async || client.get("/readyz").await.status == 503;
    eventually("503 on /readyz", unready).await;
    let why = client.get("/readyz").await.detail();
    assert!(why.contains("does not work: ") && why.contains("full"), "{why}");
    assert_eq!(client.get("/healthz").await.status, 200);
    disk.free();

    let result = reader.until("result").await;
    assert_eq!((&result["subtype"], &result["is_error"]), (&"success".into(), &false.into()), "{result:?}");
    assert_eq!(reader.connections, 1, "its stream paused and did not break");
    eventually("200 on /readyz", async || client.get("/readyz").await.status == 200).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
}
