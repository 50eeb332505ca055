//! Servers of `rmcp` on one log, each as in another process.

use std::time::Duration;

use agent_webkit::{
    layers::{
        mcp::McpLog,
        resume::{Event, EventLog, EventStream},
    },
    storage::events::{DurableConfig, DurableLog},
};
use futures_core::Stream;
use rmcp::transport::streamable_http_server::session::{
    EventStore, EventStream as Messages, ServerSseMessage,
};
use serde_json::json;

use crate::{
    place::{Place, on_both},
    reader::PATIENCE,
};

on_both! {
    two_servers_of_one_session_store_to_its_stream,
    idle_streams_are_forgotten_whoever_wrote_them,
}

fn progress(number: u32) -> ServerSseMessage {
    let params = json!({"progressToken": 1, "progress": number});
    let message = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
    ServerSseMessage::from_message(serde_json::from_value(message).unwrap())
}

async fn ids(messages: &mut Messages, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let next = std::future::poll_fn(|cx| Stream::poll_next(messages.as_mut(), cx));
        let next = tokio::time::timeout(PATIENCE, next).await.expect("it says something");
        ids.push(next.expect("it goes on").event_id.unwrap());
    }
    ids
}

async fn two_servers_of_one_session_store_to_its_stream(place: Place) {
    let servers = [0, 1, 2].map(|_| McpLog::new(place.log(DurableConfig::default())));
    let first = servers[0].store_event("session:common", &progress(0)).await.unwrap();
    // The third server only reads.
    let mut resumed = servers[2].replay_events_after(&first).await.unwrap();
    let mut stored = Vec::new();
    for number in 1..=10 {
        for server in &servers[..2] {
            stored.push(server.store_event("session:common", &progress(number)).await.unwrap());
        }
    }
    // Both at once.
    for number in 11..=20 {
        let message = progress(number);
        let [one, two] = [0, 1].map(|n| servers[n].store_event("session:common", &message));
        let (one, two) = tokio::join!(one, two);
        stored.extend([one.unwrap(), two.unwrap()]);
    }
    let mut read = ids(&mut resumed, stored.len()).await;
    for server in &servers {
        let mut again = server.replay_events_after(&first).await.unwrap();
        assert_eq!(ids(&mut again, stored.len()).await, read);
    }
    // Of two that were stored at once, either may be the first.
    read.sort();
    stored.sort();
    assert_eq!(read, stored);
}

async fn write(log: &DurableLog, key: &str) {
    log.open(key).await.unwrap().append(Event::new("", "x").into()).await.unwrap();
}

async fn idle_streams_are_forgotten_whoever_wrote_them(place: Place) {
    let [one, two] = [0, 1].map(|_| place.log(DurableConfig::default()));
    for key in ["a:1", "a:2", "a%", "b:1"] {
        write(&one, key).await;
    }
    place
        .execute("update agent_webkit_streams set touched_at_ms = touched_at_ms - 5000 where key <> 'a:2'")
        .await;
    let open = one.find("a:1").await.unwrap().unwrap();
    assert_eq!(two.forget_idle("a:", Duration::from_secs(4)).await.unwrap(), 1);
    for (key, is_there) in [("a:1", false), ("a:2", true), ("a%", true), ("b:1", true)] {
        assert_eq!(two.find(key).await.unwrap().is_some(), is_there, "{key}");
    }
    // The writer finds out, and starts another one.
    open.append(Event::new("", "y").into()).await.unwrap_err();
    write(&one, "a:1").await;
    assert_eq!(two.find("a:1").await.unwrap().unwrap().bounds().last, 1);
    assert_eq!(place.number("select count(*) from agent_webkit_runs").await, 4);
    // A write counts, too.
    place.execute("update agent_webkit_streams set touched_at_ms = 0").await;
    write(&one, "a:2").await;
    assert_eq!(one.forget_idle("a", Duration::from_secs(4)).await.unwrap(), 2);
    assert!(one.find("a:2").await.unwrap().is_some() && one.find("a:1").await.unwrap().is_none());
}
