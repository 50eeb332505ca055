//! The receivers of docs/webhooks.md, as they are in examples/webhooks.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    hooked,
    receiver::{Mode, Receiver, SECRET},
    support::{Script, Server, bash},
};

/// Starts a receiver that passes webhooks on to `target`, and returns its URL.
async fn example(file: &str, target: &Receiver) -> (Child, String) {
    let mut node = Command::new("node")
        .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhooks").join(file))
        .env("PORT", "0")
        .env("WEBHOOK_SECRET", SECRET)
        .env("TARGET_URL", target.url())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node 20 or newer runs");
    let mut lines = BufReader::new(node.stdout.take().expect("a pipe")).lines();
    let line = lines.next_line().await.expect("a line").expect("a line");
    let url = line.strip_prefix("listening on ").expect("where it listens").to_owned();
    (node, url)
}

/// Runs a turn with a prompt, whose webhooks an example passes on. Returns what the target got.
async fn passed_on(file: &str) -> (Receiver, String) {
    let target = Receiver::start(Mode::Answer(200)).await;
    let (_node, url) = example(file, &target).await;
    let server = hooked(Server::builder(), &target)
        .env("AGENT_WEBKIT_WEBHOOK", &url)
        .option("--public-url", "https://agents.example.com")
        .start()
        .await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "touch made")).then("done")).await;
    let request = session.until("permission_request").await;
    target.until("the prompt", 1, |_| true).await;
    session.allow(&request).await;
    session.until("result").await;
    target.until("the result", 2, |_| true).await;

    // Without a signature nothing is passed on.
    let forged = server.client();
    let forged = crate::support::Client::new(&url, None).post("/", forged.get("/healthz").await.body).await;
    assert_eq!(forged.status, 401);
    assert_eq!(target.received().len(), 2);
    (target, session.id)
}

#[tokio::test]
async fn the_receiver_for_ntfy_sends_a_message_that_opens_the_link() {
    let (target, _) = passed_on("ntfy.mjs").await;
    let received = target.received();
    let prompt = &received[0];
    assert_eq!(prompt.headers["title"], "Allow Bash?");
    assert!(prompt.headers["click"].starts_with("https://agents.example.com/approve/"), "{prompt:?}");
    assert!(prompt.body.contains("touch made"), "{prompt:?}");
    assert_eq!(received[1].headers["title"], "Turn ended: success");
}

#[tokio::test]
async fn the_receiver_for_slack_sends_a_message_with_a_button() {
    let (target, _) = passed_on("slack.mjs").await;
    let message = target.received()[0].json();
    assert_eq!(message["text"], "Allow Bash?");
    let button = &message["blocks"][1]["elements"][0];
    assert!(button["url"].as_str().unwrap().starts_with("https://agents.example.com/approve/"), "{message}");
    assert!(message["blocks"][0]["text"]["text"].as_str().unwrap().contains("touch made"), "{message}");
}
