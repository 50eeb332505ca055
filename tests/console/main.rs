//! The console in Debian's Chromium, with the real server and the real CLI.
//!
//! Each story in `stories/` is a script for the browser (`browser.mjs`), started by a test of its name. A story asks
//! its host, this file, for what a page can't do: kill the server, start it again, cut the network.
#![cfg(feature = "cli")]

#[path = "../support/mod.rs"]
mod support;

mod stage;

use std::fs;

use serde_json::json;

use crate::{
    stage::{chromium, play},
    support::Server,
};

/// A test for each story that needs nothing but a server.
macro_rules! stories {
    ($($name:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            let Some(chromium) = chromium() else { return };
            play(stringify!($name), Server::builder(), &chromium).await;
        }
    )*};
}

stories! {
    first_session,
    injections,
    keyboard_only,
    long_conversation,
    tokens,
    tools_and_text,
    windows_agree,
}

/// Events are kept for a while only, so that a page that was away for longer gets a 412.
#[tokio::test]
async fn away_and_back() {
    let Some(chromium) = chromium() else { return };
    let builder = Server::builder().option("--store", "memory").option("--log-window", "100");
    play("away_and_back", builder, &chromium).await;
}

/// The CLI has an MCP server that asks the user.
#[tokio::test]
async fn rare_prompts() {
    let Some(chromium) = chromium() else { return };
    let builder = Server::builder();
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/eliciting_mcp_server.py");
    let servers = json!({"mcpServers": {"asks": {"command": "python3", "args": [server]}}});
    fs::write(builder.dir("config").join(".claude.json"), servers.to_string()).unwrap();
    play("rare_prompts", builder, &chromium).await;
}
