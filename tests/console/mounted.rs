//! The console in a host of one's own, below a prefix.

use agent_webkit::{
    Stack, claude::Claude, console::ConsoleLayer, layers::auth::StaticTokens, service::Policy,
};
use axum::Router;
use tokio::net::TcpListener;
use tower::Layer;

use crate::{
    stage::{Stage, chromium},
    support::{TOKEN, claude, model_url},
};

#[tokio::test]
async fn the_console_works_below_a_prefix() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let agent = Claude::new(claude())
        .env("ANTHROPIC_BASE_URL", model_url())
        .env("ANTHROPIC_API_KEY", "x")
        .env("CLAUDE_CONFIG_DIR", folder.path());
    let stack = Stack::builder(agent, Policy::new([folder.path()]).unwrap())
        .auth(StaticTokens::new([TOKEN]).unwrap())
        .build();
    let sessions = stack.sessions().clone();
    let app = Router::new().nest_service("/deep/agents", ConsoleLayer::new().layer(stack));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/deep/agents", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let stage = Stage { story: "below_a_prefix", url: &url, folder: folder.path(), chromium: &chromium };
    stage.play(async |command| panic!("the story asks for {command}")).await;
    sessions.shutdown().await;
    serving.abort();
}
