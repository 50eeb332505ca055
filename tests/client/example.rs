//! The example `client`, as a process.

use std::process::Stdio;

use serde_json::json;
use tokio::{io::AsyncReadExt, process::Command};

use crate::support::{Cuttable, PATIENCE, Script, Server, TOKEN, bash, example};

/// Runs it with this question, does something once it has printed `text`, and returns all that it printed.
async fn ask(url: &str, question: &Script, text: &str, then: impl AsyncFnOnce()) -> String {
    let mut process = Command::new(example("client"))
        .arg(question.to_string())
        .envs([("AGENT_URL", url), ("AGENT_TOKEN", TOKEN)])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut output, mut said, mut then) = (process.stdout.take().unwrap(), String::new(), Some(then));
    let run = async {
        let mut bytes = [0; 1024];
        loop {
            match output.read(&mut bytes).await.unwrap() {
                0 => break,
                length => said.push_str(str::from_utf8(&bytes[..length]).unwrap()),
            }
            if said.contains(text)
                && let Some(then) = then.take()
            {
                then().await;
            }
        }
        assert!(process.wait().await.unwrap().success());
    };
    tokio::time::timeout(PATIENCE, run).await.expect("it ends");
    said
}

#[tokio::test]
async fn it_survives_a_cut_and_a_restart() {
    let server = Server::builder().start().await;
    let network = Cuttable::before(server.authority()).await;
    let script =
        Script::new(bash("toolu_1", "touch made")).then(json!({"text": "line\n", "times": 60})).pace(20);
    let said = ask(&network.url(), &script, "line", async || network.cut()).await;
    assert_eq!(said, "line\n".repeat(60));
    assert!(server.workspace().join("made").exists());

    let script = Script::new(json!({"text": "line\n", "times": 1000})).pace(20);
    let mut server = Some(server);
    let url = network.url();
    let said = ask(&url, &script, "line", async || {
        server = Some(server.take().unwrap().stop().start().await);
    });
    assert!(said.await.starts_with("line\n"));
    // The turn ended with the server, the client read its end after the restart, and deleted the session.
    let listed = server.unwrap().client().get("/sessions").await;
    assert_eq!(listed.json(), json!({"sessions": []}));
}
