//! The stack on hyper without a framework, over HTTP/1.1 and HTTP/2.
//!
//! The environment configures it, as for `agent-webkit serve` (`AGENT_WEBKIT_AUTH_TOKEN`,
//! `AGENT_WEBKIT_WORKSPACE`, …); `ADDR` is the address to listen on.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --features cli --example bare_hyper
//! curl -X POST http://127.0.0.1:8000/sessions -H 'authorization: Bearer secret'
//! ```

mod support;

use std::{error::Error, pin::pin, time::Duration};

use agent_webkit::settings::Settings;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let listener = support::listen().await?;
    settings.check_exposure([listener.local_addr()?.ip()])?;
    let mut ended = pin!(support::ended()?);

    let server = settings.launch().await?;
    let connections = GracefulShutdown::new();
    let http = auto::Builder::new(TokioExecutor::new());
    support::announce(&listener, "")?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ended => break,
        };
        let Ok((stream, _)) = accepted else {
            // Usually there are too many open files. Without a pause this would spin until one is closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // An agent writes in small pieces, each of which should be sent at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(server.stack.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }

    // Streams end when the sessions and their storage shut down. Without that, hyper would wait for their
    // readers.
    server.stack.sessions().shutdown().await;
    server.store.shutdown().await;
    connections.shutdown().await;
    Ok(())
}
