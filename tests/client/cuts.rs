//! The client over TCP, with the real server and CLI: proxies cut its connections at random bytes, and the server is
//! stopped and killed under it.

use std::time::Duration;

use agent_webkit::client::{Client, NewSession};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;

use crate::{
    expected::{LAST, Received, Sent, end_turn},
    support::{BreakingNetwork, Script, Server, TOKEN, bash},
};

const CUTS: usize = 500;
const READERS: u64 = 4;
/// The most that passes of an answer, in bytes.
const LONGEST: u64 = 6000;

fn client(url: &str) -> Client<Http<HttpConnector, Full<Bytes>>> {
    let http = Http::builder(TokioExecutor::new()).build_http();
    let client = Client::new(http, url.parse().unwrap()).credential(TOKEN);
    client.pauses(Duration::from_millis(1), Duration::from_millis(200))
}

#[tokio::test]
async fn every_event_comes_once_through_cuts_restarts_and_kills() {
    let mut server = Server::builder().start().await;
    let id = client(server.url()).create(&NewSession::default()).await.unwrap().id().to_owned();
    let (mut networks, mut readers) = (Vec::new(), Vec::new());
    for seed in 0..=READERS {
        networks.push(BreakingNetwork::before(server.authority(), seed, LONGEST).await);
    }
    for network in &networks[1..] {
        readers.push(tokio::spawn(Received::all(client(&network.url()).attach(&id).events())));
    }

    // The one who talks has a connection that breaks, too.
    let session = client(&networks[0].url()).attach(&id);
    let (mut events, mut turns) = (session.events(), 0);
    while networks.iter().map(BreakingNetwork::cuts).sum::<usize>() < CUTS {
        let script = match turns % 5 {
            0 => Script::new(json!([
                "I will.",
                bash(&format!("toolu_{turns}"), &format!("touch made_{turns}"))
            ]))
            .then("Done."),
            _ => Script::slow(30, 2),
        };
        session.say(script.to_string()).await.unwrap();
        if turns % 5 == 2 {
            server = server.stop().start().await;
        }
        if turns % 5 == 4 {
            server = server.kill().start().await;
        }
        turns += 1;
        end_turn(&session, &mut events).await;
    }
    assert!(turns > 5, "the server was neither stopped nor killed");

    session.say(LAST).await.unwrap();
    turns += 1;
    end_turn(&session, &mut events).await;

    let sent = replay(&server, &id).await;
    let count = |wanted: &str| sent.iter().filter(|(_, name, _)| name == wanted).count();
    assert_eq!((count("user_message"), count("result")), (turns, turns), "a message ran twice");
    let mut reconnections = 0;
    for reader in readers {
        let received = reader.await.unwrap();
        received.check(&sent);
        reconnections += received.reconnections;
    }
    eprintln!("{turns} turns, {} events, {reconnections} reconnections of {READERS} readers", sent.len());
}

/// All events that the server holds, read by a strict reader that is not the client.
async fn replay(server: &Server, id: &str) -> Vec<Sent> {
    let mut events = server.client().events(id).await;
    events.until("session_state").await;
    assert!(events.comments.is_empty(), "{:?}", events.comments);
    events
        .seen
        .iter()
        .filter_map(|frame| Some((frame.id?, frame.event.clone(), frame.data.clone())))
        .collect()
}
