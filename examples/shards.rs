//! Three hosts that share counters between them, without any agent: each counter is on one host, and every host answers
//! for all. A request that belongs to another host is relayed to it, and so is the stream of its answer.
//!
//! ```text
//! ADDR=127.0.0.1:8000 cargo run --features practice --example shards
//! curl -N http://127.0.0.1:8000/counters/7
//! ```
//!
//! The three hosts are in one process here. The address is that of the first; the header `x-host` of an answer has the
//! number of the host that counts.

mod support;

use std::{error::Error, future::ready, io, sync::Arc, time::Duration};

use agent_webkit::layers::{
    lookup::{LookupLayer, Resolved, resolve_fn},
    relay::RelayLayer,
    resume::{Cursor, Event, EventStream, Follow, RingConfig, RingStream, TailError},
};
use axum::{Router, body::Body, error_handling::HandleErrorLayer};
use http::{Request, Response, StatusCode, Uri, header::CONTENT_TYPE, request::Parts};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// The host that has a counter.
#[derive(Clone, Copy)]
struct Place(usize);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ended = support::ended()?;
    let listeners = [support::listen().await?, local().await?, local().await?];
    support::announce(&listeners[0], "")?;
    let hosts: Result<Vec<Uri>, Box<dyn Error>> =
        listeners.iter().map(|listener| Ok(format!("http://{}", listener.local_addr()?).parse()?)).collect();
    let hosts: Arc<[Uri]> = hosts?.into();
    for (me, listener) in listeners.into_iter().enumerate() {
        tokio::spawn(serve(me, listener, Arc::clone(&hosts)));
    }
    ended.await;
    Ok(())
}

async fn local() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

/// Serves the host with this number.
async fn serve(me: usize, listener: TcpListener, hosts: Arc<[Uri]>) -> io::Result<()> {
    let count = hosts.len();
    let counter = |request: &Parts| request.uri.path().strip_prefix("/counters/").map(str::to_owned);
    let find = resolve_fn(move |id: &str, _: &Parts| {
        ready(Ok(id.parse::<usize>().ok().map(|counter| Place(counter % count))))
    });
    let elsewhere = move |request: &Parts| match request.extensions.get() {
        Some(Resolved(Place(host))) if *host != me => Some(hosts[*host].clone()),
        _ => None,
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: TailError| ready(StatusCode::INTERNAL_SERVER_ERROR)))
        .layer(LookupLayer::new(counter, find))
        .layer(RelayLayer::new(client, elsewhere))
        .service_fn(move |_: Request<Body>| count_up(me));
    axum::serve(listener, Router::new().fallback_service(service)).await
}

/// Counts for as long as somebody reads.
async fn count_up(me: usize) -> Result<Response<Body>, TailError> {
    let stream = RingStream::new(RingConfig::default());
    let tail = stream.tail(Cursor::Oldest).await?;
    tokio::spawn(async move {
        for number in 1_u64.. {
            let counted = stream.append(Event::new("count", number.to_string()).into()).await;
            if counted.is_err() || stream.readers().attached == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let response = Response::builder().header(CONTENT_TYPE, "text/event-stream").header("x-host", me);
    Ok(response.body(Body::new(Follow::new(tail, None))).expect("the headers are valid"))
}
