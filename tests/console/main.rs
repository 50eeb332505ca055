//! The console in Debian's Chromium, with the real server and the real CLI.
//!
//! Each story in `stories/` is a script for the browser (`browser.mjs`), started by a test of its name. A story asks
//! its host, this file, for what a page can't do: kill the server, start it again, cut the network.
#![cfg(feature = "cli")]

#[path = "../support/mod.rs"]
mod support;

mod mounted;
mod stage;

use std::fs;

use http::Method;
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
    another_origin,
    completion,
    first_session,
    history,
    injected_names,
    injections,
    keyboard_only,
    long_conversation,
    notifications,
    plain_page,
    states,
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

/// The operator has profiles.
#[tokio::test]
async fn new_session() {
    let Some(chromium) = chromium() else { return };
    let builder = Server::builder();
    let profiles = builder.dir("config").join("profiles.toml");
    fs::write(&profiles, "[terse]\nappend_system_prompt = \"You answer in one word.\"\n").unwrap();
    play("new_session", builder.option("--profiles", profiles), &chromium).await;
}

/// The agent can show a component, and has the tools of a to-do list.
#[tokio::test]
async fn details() {
    let Some(chromium) = chromium() else { return };
    let builder = Server::builder();
    let components = builder.dir("config").join("components.json");
    let schema = json!({"type": "object", "properties": {"city": {"type": "string", "title": "The city"}}});
    let card = json!({"name": "weather_card", "description": "A card with the weather of a city.", "schema": schema});
    fs::write(&components, json!({"components": [card]}).to_string()).unwrap();
    let builder = builder
        .option("--genui", components)
        .env("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1")
        .option("--pass-env", "CLAUDE_CODE_ENABLE_TODO_TOOLS");
    play("details", builder, &chromium).await;
}

#[tokio::test]
async fn react_example() {
    let Some(chromium) = chromium() else { return };
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/react/dist/index.html");
    assert!(fs::exists(built).unwrap(), "examples/react is not built: `make test` does it");
    play("react_example", Server::builder(), &chromium).await;
}

#[tokio::test]
async fn open_server() {
    let Some(chromium) = chromium() else { return };
    play("open_server", Server::builder().no_token().flag("--no-auth"), &chromium).await;
}

#[tokio::test]
async fn the_binary_serves_the_page_without_a_token_unless_it_is_turned_off() {
    let html = [("accept", "text/html,*/*;q=0.8")];
    let server = Server::start().await;
    let client = server.client().with_token(None);
    let page = client.ask(Method::GET, "/", &html, "").await;
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with(b"<!doctype html>"), "{:?}", page.body);
    assert_eq!(client.ask(Method::GET, "/", &[("accept", "*/*")], "").await.status, 401);
    assert_eq!(client.ask(Method::GET, "/sessions", &html, "").await.status, 401);
    let rebound = [html[0], ("host", "evil.example")];
    assert_eq!(client.ask(Method::GET, "/", &rebound, "").await.status, 403);
    assert!(!server.log().contains("console/app.js"));

    let server = Server::builder().flag("--no-console").start().await;
    let client = server.client().with_token(None);
    for path in ["/", "/console/app.js"] {
        assert_eq!(client.ask(Method::GET, path, &html, "").await.status, 401, "{path}");
    }
}
