//! Servers of the `rmcp` crate, over a transport in this process.

use std::{future::Future, io, pin::Pin, sync::Arc};

use rmcp::{
    RoleServer, ServerHandler, ServiceExt,
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use serde_json::value::to_raw_value;

use super::server::{Connection, McpServer};

/// A handler as a server. All agents share it.
pub(crate) struct Rmcp<H>(pub(crate) Arc<H>);

impl<H: ServerHandler> McpServer for Rmcp<H> {
    fn serve(&self, connection: Connection) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let handler = Arc::clone(&self.0);
        Box::pin(async move {
            let ended = match handler.serve(InProcess(connection)).await {
                Ok(running) => running.waiting().await.map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = ended {
                tracing::warn!(error, "an in-process MCP server failed");
            }
        })
    }
}

/// The connection to an agent as a transport.
struct InProcess(Connection);

impl Transport<RoleServer> for InProcess {
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let out = self.0.out.clone();
        async move {
            out.send(to_raw_value(&item)?).await;
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.0.messages.recv().await?;
            match serde_json::from_str(message.get()) {
                Ok(message) => return Some(message),
                Err(error) => tracing::warn!(%error, "the agent sent a message that rmcp cannot read"),
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.messages.close();
        Ok(())
    }
}
