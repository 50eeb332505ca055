//! Messages with a uuid of the client's, and messages that are withdrawn.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Reply, Script, Server, Session};

async fn say(session: &Session, uuid: &str, content: impl Into<Value>) -> Reply {
    let message = json!({"type": "user_message", "message_uuid": uuid, "content": content.into()});
    session.input(&message).await
}

async fn cancel(session: &Session, uuid: &str) -> Reply {
    session.input(&json!({"type": "cancel_message", "message_uuid": uuid})).await
}

fn uuid() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_message_has_the_uuid_that_its_client_chose_and_no_other_has_it() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let first = uuid();
    assert_eq!(say(&session, &first.to_uppercase(), "one").await.status, 204);
    assert_eq!(session.until("user_message").await["message_uuid"], first);
    let result = session.until("result").await;
    assert_eq!(result["user_message_uuid"], first, "the agent knows it by this uuid");

    session.say("two").await;
    let second = session.until("user_message").await.str("message_uuid").to_owned();
    session.until("result").await;
    for known in [&first, &second] {
        let again = say(&session, known, "three").await;
        assert_eq!(again.status, 409, "{again:?}");
    }
    for wrong in ["", "m1", "82015afa-a03d-1d03-833e-793f9eaa3b59"] {
        assert_eq!(say(&session, wrong, "three").await.status, 400, "{wrong}");
    }
    let events = session.close().await;
    assert_eq!(events.seen.iter().filter(|frame| frame.event == "user_message").count(), 2);
}

#[tokio::test]
async fn a_queued_message_can_be_withdrawn_and_no_other() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let ids: Vec<_> = (0..4).map(|_| uuid()).collect();
    say(&session, &ids[0], Script::slow(60, 20)).await;
    for id in &ids[1..] {
        assert_eq!(say(&session, id, "queued").await.status, 204);
    }
    session.until("message_delta").await;
    assert_eq!(cancel(&session, &ids[0]).await.status, 409, "it runs");
    for id in [&ids[1], &ids[3]] {
        assert_eq!(cancel(&session, id).await.status, 204);
        assert_eq!(session.until("user_message_cancelled").await.data, json!({"message_uuid": id}));
        assert_eq!(cancel(&session, id).await.status, 409, "it was withdrawn");
        assert_eq!(say(&session, id, "again").await.status, 409, "its uuid is not free");
    }
    assert_eq!(cancel(&session, &uuid()).await.status, 409, "it was never sent");
    assert_eq!(cancel(&session, "m1").await.status, 400);

    for id in [&ids[0], &ids[2]] {
        assert_eq!(session.until("result").await["user_message_uuid"], **id);
    }
    assert_eq!(cancel(&session, &ids[2]).await.status, 409, "it has run");
    session.turn("the queue is empty").await;
    session.close().await;
}
