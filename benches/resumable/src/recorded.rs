//! `RecordLayer` over a log in memory or in SQLite.

use std::{convert::Infallible, error::Error};

use agent_webkit::{
    layers::resume::{EventLog, RecordLayer, RingLog},
    storage::{
        database::Database,
        events::{DurableConfig, DurableLog},
    },
};
use axum::{Router, body::Body, extract::Query};
use http::{Request, Response, request::Parts};
use tower::{Layer, service_fn};

use crate::source::Source;

pub(crate) async fn in_memory() -> Result<(), Box<dyn Error>> {
    serve(RingLog::default()).await
}

pub(crate) async fn in_sqlite(path: &str) -> Result<(), Box<dyn Error>> {
    serve(DurableLog::new(Database::sqlite(path).await?, DurableConfig::default())).await
}

async fn serve(log: impl EventLog) -> Result<(), Box<dyn Error>> {
    let upstream = service_fn(async |request: Request<Body>| {
        let response = match Query::try_from_uri(request.uri()) {
            Ok(Query(settings)) => {
                let response = Response::builder().header("content-type", "text/event-stream");
                response.body(Body::new(Source::new(settings)))
            }
            // A reader that comes before the stream is started.
            Err(_) => Response::builder().status(404).body(Body::empty()),
        };
        Ok::<_, Infallible>(response.expect("a valid response"))
    });
    let layer = RecordLayer::new(log, |request: &Parts| Some(request.uri.path().to_owned()));
    let app = Router::new().fallback_service(layer.layer(upstream));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
