//! Sessions with an agent that was started ahead outlive their server like any other.

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Server, eventually},
};

on_both! { it_remembers_over_a_crash }

async fn it_remembers_over_a_crash(place: Place) {
    let server = place.server().option("--warm", "1").start().await;
    eventually("an agent that waits", async || counts(&server, "agents_warm 1").await).await;
    let mut reader = Reader::create(server.client()).await;
    assert!(counts(&server, r#"warm_claims_total{outcome="found"} 1"#).await);
    reader.say("word", "Another word is heliotrope.").await;
    reader.until("result").await;

    let server = server.kill().start().await;
    let echo = reader.history("history").await;
    assert!(echo.contains("heliotrope"), "{echo}");
    reader.replays().await;
    server.stop();
}

async fn counts(server: &Server, series: &str) -> bool {
    let page = server.client().get("/metrics").await.body;
    String::from_utf8_lossy(&page).contains(&format!("agent_webkit_{series}"))
}
