//! Which model answers: the practice model only if it is asked for, or if the CLI has no credentials.

use std::fs;

use serde_json::json;

use crate::support::{Builder, Server};

/// A server without credentials in its environment, whose CLI has these settings.
fn server(settings: &serde_json::Value) -> Builder {
    let builder = Server::builder().env("ANTHROPIC_API_KEY", "");
    let config = builder.dir("config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("settings.json"), settings.to_string()).unwrap();
    builder
}

#[tokio::test]
async fn practice_wins_over_every_provider() {
    let elsewhere = json!({"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CODE_USE_FOUNDRY": "1", "ANTHROPIC_FOUNDRY_BASE_URL": "http://127.0.0.1:1"}});
    let builder = server(&elsewhere).env("CLAUDE_CODE_USE_BEDROCK", "1").flag("--practice");
    let server = builder.start().await;
    let mut session = server.session().await;
    session.say("hello").await;
    let message = session.until("message_complete").await;
    assert!(message.data.to_string().contains("You said: hello"), "{message:?}");
    session.close().await;
}

#[tokio::test]
async fn credentials_that_only_the_cli_knows_of_are_used() {
    let helper = json!({"apiKeyHelper": "/bin/echo key"});
    let block = json!({"env": {"ANTHROPIC_AUTH_TOKEN": "t"}});
    for (settings, is_practice) in [(&helper, false), (&block, false), (&json!({}), true)] {
        let server = server(settings).start().await;
        assert_eq!(
            server.log().contains("practice model answers"),
            is_practice,
            "{settings}: {}",
            server.log()
        );
    }
}
