//! Files that the agent has changed are put back, before and after a restart.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Builder, Reply, Script, Server, tool},
};

/// Lets the agent write this file, and returns the uuid of the message.
async fn writes(server: &Server, reader: &mut Reader, file: &str, content: &str) -> String {
    let path = server.workspace().canonicalize().unwrap().join(file);
    let id = |name: &str| format!("toolu_{name}_{}", reader.shown.len());
    let read = tool(&id("read"), "Read", &json!({"file_path": path}));
    let write = tool(&id("write"), "Write", &json!({"file_path": path, "content": content}));
    reader.say(&id("edit"), Script::new(read).then(write).then("Done.").to_string()).await;
    let uuid = reader.until("user_message").await.str("message_uuid").to_owned();
    assert_eq!(reader.until("result").await["subtype"], "success");
    assert_eq!(fs::read_to_string(path).unwrap(), content);
    uuid
}

async fn rewind(server: &Server, reader: &Reader, message_uuid: &str, dry_run: bool) -> Reply {
    let input = json!({"type": "rewind", "message_uuid": message_uuid, "dry_run": dry_run});
    loop {
        let reply = server.client().input(&reader.id, &input).await;
        // The lease of a killed server holds a little longer.
        if reply.status != 503 {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The files in the workspace with their bytes.
fn files(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(server.workspace())
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// The names of the files in an event.
fn names(event: &Value) -> Vec<&str> {
    let mut names: Vec<_> = event["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    names.sort_unstable();
    names
}

async fn files_are_put_back(place: Place) {
    put_back(place.server(), true).await;
}

#[tokio::test]
async fn files_are_put_back_in_memory() {
    put_back(Server::builder().option("--store", "memory"), false).await;
}

async fn put_back(builder: Builder, survives: bool) {
    let mut server = builder.start().await;
    fs::write(server.workspace().join("old.txt"), b"old \xff\n").unwrap();
    fs::write(server.workspace().join("other.txt"), "other\n").unwrap();
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits"})).await;
    let mut reader = Reader::of(client, &id);
    let before = files(&server);
    let first = writes(&server, &mut reader, "other.txt", "changed\n").await;
    let between = files(&server);
    let second = writes(&server, &mut reader, "new.txt", "new\n").await;
    let third = writes(&server, &mut reader, "other.txt", "changed again\n").await;
    let after = files(&server);

    assert_eq!(rewind(&server, &reader, &first, true).await.status, 204);
    let event = reader.until("files_rewound").await.data;
    assert_eq!((&event["message_uuid"], &event["dry_run"]), (&json!(first), &json!(true)), "{event}");
    assert_eq!(names(&event), ["new.txt", "other.txt"]);
    assert_eq!(files(&server), after, "a dry run changes nothing");

    if survives {
        server = server.stop().start().await;
    }
    assert_eq!(rewind(&server, &reader, &second, false).await.status, 204);
    let event = reader.until("files_rewound").await.data;
    assert_eq!((&event["message_uuid"], &event["dry_run"]), (&json!(second), &json!(false)), "{event}");
    assert_eq!(names(&event), ["new.txt", "other.txt"]);
    assert_eq!(files(&server), between);

    if survives {
        server = server.kill().start().await;
    }
    assert_eq!(rewind(&server, &reader, &first, false).await.status, 204);
    reader.until("files_rewound").await;
    assert_eq!(files(&server), before);

    let unknown = rewind(&server, &reader, "82015afa-a03d-4d03-833e-793f9eaa3b59", false).await;
    assert_eq!(unknown.status, 400, "{unknown:?}");
    assert!(unknown.detail().contains("checkpoint"), "{unknown:?}");

    reader.say("slow", Script::slow(400, 20).to_string()).await;
    reader.until("message_delta").await;
    let refused = rewind(&server, &reader, &third, false).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(server.client().input(&id, &json!({"type": "interrupt"})).await.status, 204);
    reader.until("result").await;
}

on_both!(files_are_put_back);

#[tokio::test]
async fn without_checkpoints_a_rewind_is_refused_in_the_agents_words() {
    let server = Place::Sqlite.server().flag("--no-file-checkpoints").start().await;
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits"})).await;
    let mut reader = Reader::of(client, &id);
    let message = writes(&server, &mut reader, "new.txt", "new\n").await;
    let refused = rewind(&server, &reader, &message, false).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.detail().contains("not enabled"), "{refused:?}");
    assert_eq!(files(&server).len(), 1);
}
