//! An MCP server (`rmcp`) whose calls survive its restart: what a call sends is stored first, and a client that comes
//! back gets the rest of it from this server, or from another one on the same database. Its tool reports progress.
//!
//! ```text
//! DATABASE=sqlite:calls.db cargo run --features sqlite --example mcp_resume
//! ```

mod support;

use std::{env, error::Error, sync::Arc, time::Duration};

use agent_webkit::{
    layers::mcp::McpLog,
    storage::database::Database,
    storage::events::{DurableConfig, DurableLog},
};
use axum::Router;
use rmcp::{
    RoleServer,
    model::ProgressNotificationParam,
    service::{RequestContext, ServiceError},
    tool, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};

struct Counter(u32);

#[tool_router(server_handler)]
impl Counter {
    /// Counts.
    #[tool]
    async fn count(&self, context: RequestContext<RoleServer>) -> String {
        match self.report(&context).await {
            Ok(()) => format!("Counted to {}.", self.0),
            Err(error) => format!("Nobody listens: {error}."),
        }
    }

    async fn report(&self, context: &RequestContext<RoleServer>) -> Result<(), ServiceError> {
        let Some(token) = context.meta.get_progress_token() else { return Ok(()) };
        for number in 1..=self.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            context
                .peer
                .notify_progress(ProgressNotificationParam::new(token.clone(), number.into()))
                .await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = Database::open(&env::var("DATABASE")?.parse()?).await?.ok_or("memory does not last")?;
    let log = Arc::new(McpLog::new(DurableLog::new(database, DurableConfig::default())));
    let sessions = LocalSessionManager::default().with_event_store(log.clone());
    let mut config = StreamableHttpServerConfig::default();
    config.session_store = Some(log);
    let mcp = StreamableHttpService::new(|| Ok(Counter(20)), Arc::new(sessions), config);
    let listener = support::listen().await?;
    support::announce(&listener, "/mcp")?;
    let server = axum::serve(listener, Router::new().route_service("/mcp", mcp));
    Ok(server.with_graceful_shutdown(support::ended()?).await?)
}
