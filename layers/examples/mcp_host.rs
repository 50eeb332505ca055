//! An MCP server (`rmcp`) behind bearer authentication. A client without a token learns from the 401 where the metadata of
//! this resource is, and from there who issues tokens (RFC 9728).
//!
//! ```text
//! TOKEN=s3cret cargo run -p agent-webkit-layers --all-features --example mcp_host
//! curl -i http://127.0.0.1:8000/mcp
//! ```

use std::{env, error::Error, sync::Arc};

use agent_webkit_layers::auth::{AuthLayer, Principal, StaticTokens, Verify};
use axum::{
    Router,
    http::{Uri, request::Parts},
    routing::get,
};
use rmcp::{
    RoleServer,
    service::RequestContext,
    tool, tool_router,
    transport::streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager},
};
use serde_json::json;
use tokio::net::TcpListener;

/// The path of the metadata, which has that of the resource at its end.
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

struct Greeter;

#[tool_router(server_handler)]
impl Greeter {
    /// Greets the caller.
    #[tool]
    async fn greet(&self, context: RequestContext<RoleServer>) -> String {
        let caller = context.extensions.get::<Parts>().and_then(|head| head.extensions.get::<Principal>());
        format!("Hello, {}.", caller.map_or("stranger", |caller| &*caller.name))
    }
}

/// The server, which clients reach at `base`, such as `https://mcp.example.com`.
pub(crate) fn app<V>(verifier: V, base: &str) -> Result<Router, Box<dyn Error>>
where
    V: Verify<Principal = Principal, Future: Send> + Clone + Send + Sync + 'static,
{
    let metadata: Uri = format!("{base}{METADATA}").parse()?;
    let described =
        json!({"resource": format!("{base}/mcp"), "authorization_servers": ["https://id.example.com"]});
    let sessions = Arc::new(LocalSessionManager::default());
    let mcp = StreamableHttpService::new(|| Ok(Greeter), sessions, Default::default());
    let mcp = Router::new().route_service("/mcp", mcp);
    let mcp = mcp.layer(AuthLayer::new(verifier).resource_metadata(&metadata));
    Ok(mcp.route(METADATA, get(async move || described.to_string())))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = app(StaticTokens::new([env::var("TOKEN")?])?, "http://127.0.0.1:8000")?;
    Ok(axum::serve(TcpListener::bind("127.0.0.1:8000").await?, app).await?)
}
