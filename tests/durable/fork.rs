//! A session that begins as a copy of another one, with its events, its conversation and its files.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Builder, Frame, Script, Server, tool},
};

/// Sends a message under this uuid and reads to the end of its turn.
async fn turn(reader: &mut Reader, uuid: &str, content: impl Into<Value>) {
    let message = json!({"type": "user_message", "message_uuid": uuid, "content": content.into()});
    loop {
        let reply = reader.client.input(&reader.id, &message).await;
        if reply.status == 204 {
            break;
        }
        // The lease of a killed server holds a little longer.
        assert_eq!(reply.status, 503, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while reader.until("result").await["user_message_uuid"] != uuid {}
}

/// The texts of the user that the model knows, in the session's next turn.
async fn known(reader: &mut Reader) -> String {
    turn(reader, &Uuid::new_v4().to_string(), format!("asked {}", Script::text("ECHO_HISTORY"))).await;
    let complete = reader.shown.iter().rfind(|frame| frame.event == "message_complete").unwrap();
    complete["message"]["content"].to_string()
}

/// The events up to the end of this message's turn, as they are in a copy.
fn up_to(shown: &[Frame], last_message: &str, later: &[&str]) -> Vec<(String, Value)> {
    let end = shown.iter().position(|frame| frame.data["user_message_uuid"] == last_message).unwrap();
    let copied = shown[1..=end]
        .iter()
        .filter(|frame| frame.event != "user_message" || !later.contains(&frame.str("message_uuid")));
    copied.map(|frame| (frame.event.clone(), without_session(&frame.data))).collect()
}

fn without_session(data: &Value) -> Value {
    let mut data = data.clone();
    if let Some(members) = data.as_object_mut() {
        members.remove("session_id");
    }
    data
}

async fn forked(reader: &Reader, after: Option<&str>) -> Reader {
    let fork_of = json!({"session_id": reader.id, "after_message_uuid": after});
    let id = reader.client.created(&json!({"fork_of": fork_of})).await;
    assert_ne!(id, reader.id);
    Reader::of(reader.client.clone(), &id)
}

/// Reads the copied events and compares them.
async fn compare(fork: &mut Reader, expected: &[(String, Value)]) {
    assert_eq!(fork.next().await.data, json!({"session_id": fork.id, "protocol_version": "1.0"}));
    for expected in expected {
        let frame = fork.next().await;
        if frame.event == "result" {
            assert_eq!(frame["session_id"], fork.id.as_str());
        }
        assert_eq!((frame.event.clone(), without_session(&frame.data)), *expected);
    }
}

async fn a_fork_goes_on_from_the_turn_that_it_was_made_after(place: Place) {
    goes_on(place.server(), true).await;
}

#[tokio::test]
async fn a_fork_goes_on_from_its_turn_in_memory() {
    goes_on(Server::builder().option("--store", "memory"), false).await;
}

async fn goes_on(builder: Builder, survives: bool) {
    let mut server = builder.start().await;
    let file = server.workspace().canonicalize().unwrap().join("made.txt");
    let ids: Vec<_> = (0..4).map(|_| Uuid::new_v4().to_string()).collect();
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits", "title": "The original"})).await;
    let mut source = Reader::of(client, &id);
    turn(&mut source, &ids[0], "a heron").await;
    let write = tool("toolu_w", "Write", &json!({"file_path": file, "content": "one"}));
    turn(&mut source, &ids[1], format!("an osprey {}", Script::new(write).then("Written."))).await;
    turn(&mut source, &ids[2], "a merlin").await;

    // While a turn runs and a message waits, the copy ends with the last turn that has ended.
    let slow = json!({"type": "user_message", "message_uuid": ids[3],
        "content": format!("a kestrel {}", Script::slow(400, 20))});
    assert_eq!(source.client.input(&id, &slow).await.status, 204);
    source.until("message_delta").await;
    let running = json!({"fork_of": {"session_id": id, "after_message_uuid": ids[3]}});
    assert_eq!(source.client.create(&running).await.status, 409);
    let mut whole = forked(&source, None).await;
    compare(&mut whole, &up_to(&source.shown, &ids[2], &[])).await;
    let mut fork = forked(&source, Some(&ids[1])).await;
    compare(&mut fork, &up_to(&source.shown, &ids[1], &[])).await;
    let state = source.client.get(&format!("/sessions/{}", fork.id)).await.json();
    assert_eq!((&state["title"], &state["status"]), (&json!("The original"), &json!("idle")), "{state}");
    assert_eq!(
        state["session_cost_usd"],
        source
            .shown
            .iter()
            .rfind(|frame| { frame.data["user_message_uuid"] == ids[1].as_str() && frame.event == "result" })
            .unwrap()["session_cost_usd"]
    );
    assert_ne!(state["permission_mode"], "acceptEdits", "an approval is not copied");
    assert_eq!(source.client.input(&id, &json!({"type": "interrupt"})).await.status, 204);
    source.until("result").await;

    if survives {
        server = server.kill().start().await;
    }
    let texts = known(&mut fork).await;
    assert!(texts.contains("a heron") && texts.contains("an osprey"), "{texts}");
    assert!(!texts.contains("a merlin") && !texts.contains("a kestrel"), "{texts}");
    let texts = known(&mut whole).await;
    assert!(texts.contains("a merlin") && !texts.contains("a kestrel"), "{texts}");
    let texts = known(&mut source).await;
    assert!(
        texts.contains("a kestrel") && !texts.contains("asked asked"),
        "the source goes on by itself: {texts}"
    );

    let again = json!({"type": "user_message", "message_uuid": ids[0], "content": "again"});
    assert_eq!(fork.client.input(&fork.id, &again).await.status, 409, "the copy has this message");
    assert_eq!(fs::read_to_string(&file).unwrap(), "one");
    let rewind = json!({"type": "rewind", "message_uuid": ids[1]});
    let reply = fork.client.input(&fork.id, &rewind).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(fork.until("files_rewound").await["files"], json!([file]));
    assert!(!file.exists(), "the checkpoints came along");
    drop(server);
}

on_both!(a_fork_goes_on_from_the_turn_that_it_was_made_after);

#[tokio::test]
async fn what_cannot_be_forked_says_why() {
    let server = Place::Sqlite.server().start().await;
    let mut source = Reader::create(server.client()).await;
    let (client, id) = (server.client(), source.id.clone());
    let fork = async |fork_of: Value| client.create(&json!({"fork_of": fork_of})).await;
    assert_eq!(fork(json!({"session_id": id})).await.status, 409, "no turn has ended");
    turn(&mut source, "82015afa-a03d-4d03-833e-793f9eaa3b59", "hello").await;
    for (fork_of, status) in [
        (json!({"session_id": Uuid::new_v4().to_string()}), 404),
        (json!({"session_id": "../x"}), 404),
        (json!({"session_id": id, "after_message_uuid": Uuid::new_v4().to_string()}), 422),
        (json!({"session_id": id, "after_message_uuid": "m1"}), 422),
        (json!({"session_id": 7}), 422),
        (json!({}), 422),
        (json!("x"), 422),
    ] {
        let reply = fork(fork_of.clone()).await;
        assert_eq!(reply.status, status, "{fork_of}: {reply:?}");
    }
    let elsewhere = client.create(&json!({"fork_of": {"session_id": id}, "cwd": "."})).await;
    assert_eq!(elsewhere.status, 422, "{elsewhere:?}");
    let listed = client.get("/sessions").await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
}
