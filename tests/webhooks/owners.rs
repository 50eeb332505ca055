//! The webhooks of owners, from a file.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::{
    hooked,
    receiver::{Mode, OTHER_SECRET, Receiver, verified},
    support::{Builder, Server, eventually},
};

/// A server for Ada and Bob. Their tokens are their names.
pub(crate) fn two_owners(builder: Builder) -> Builder {
    let tokens = builder.dir("home").join("tokens");
    fs::write(&tokens, "ada:ada-token\nbob:bob-token\n").unwrap();
    builder.option("--tokens-file", tokens)
}

#[tokio::test]
async fn an_owners_events_go_to_the_owner_and_the_server_and_the_file_is_read_again() {
    let [of_server, of_ada] =
        [Receiver::start(Mode::Answer(200)).await, Receiver::start(Mode::Answer(200)).await];
    let builder = two_owners(hooked(Server::builder(), &of_server));
    let file = builder.dir("home").join("webhooks.toml");
    let table = |owner: &str| format!("[{owner}]\nurl = \"{}\"\nsecret = \"{OTHER_SECRET}\"\n", of_ada.url());
    fs::write(&file, table("ada")).unwrap();
    let server = builder.option("--webhooks", &file).start().await;
    let turn = async |owner: &str| {
        let client = server.client().with_token(Some(&format!("{owner}-token")));
        let id = client.created(&json!({})).await;
        let mut events = client.events(&id).await;
        client.input(&id, &json!({"type": "user_message", "content": "hello"})).await;
        events.until("result").await;
        id
    };
    let [bobs, adas] = [turn("bob").await, turn("ada").await];
    let to_ada = of_ada.one("result").await;
    assert_eq!(to_ada.json()["data"]["session_id"], adas);
    assert_eq!(to_ada.json()["data"]["owner"], "ada");
    let both = of_server.until("both", 2, |_| true).await;
    let sessions: Vec<_> = both.iter().map(|one| one.json()["data"]["session_id"].clone()).collect();
    assert_eq!(sessions, [json!(bobs), json!(adas)]);
    assert_eq!(verified(&[(OTHER_SECRET, &to_ada), (OTHER_SECRET, &both[1])]).await, [true, false]);
    assert_eq!(of_ada.received().len(), 1, "nothing of Bob's came to Ada");

    fs::write(&file, "[ada]\nurl = 3\n").unwrap();
    server.signal(Signal::HUP);
    eventually("the file is refused", async || server.log().contains("cannot read the webhooks file again"))
        .await;
    fs::write(&file, table("bob")).unwrap();
    server.signal(Signal::HUP);
    eventually("the file is read", async || server.log().contains("read the webhooks file again path")).await;
    let [adas, bobs] = [turn("ada").await, turn("bob").await];
    let to_bob = of_ada.until("Bob's", 2, |_| true).await;
    assert_eq!(to_bob[1].json()["data"]["session_id"], bobs);
    of_server.until("Ada's", 1, |one| one.json()["data"]["session_id"] == adas).await;
    assert_eq!(of_ada.received().len(), 2);
}
