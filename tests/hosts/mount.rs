//! Mounts the stack on each host, as the examples do.

use std::convert::Infallible;

use agent_webkit::service::Sessions;
use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer, Service};

use crate::{
    greeter::Greeter,
    host::{FakeStack, Mounted, Place},
};

pub(crate) fn bare_hyper(stack: FakeStack, place: Place) -> Mounted {
    let sessions = stack.sessions().clone();
    let serving = Box::pin(serve(stack, place, async move { sessions.shutdown().await }));
    Mounted { prefix: "", serving }
}

pub(crate) fn axum_nested(stack: FakeStack, place: Place) -> Mounted {
    let sessions = stack.sessions().clone();
    let router = Router::new().nest_service("/api/v1/agents", stack);
    in_axum("/api/v1/agents", router, place, sessions)
}

pub(crate) fn axum_fallback(stack: FakeStack, place: Place) -> Mounted {
    let sessions = stack.sessions().clone();
    in_axum("", Router::new().fallback_service(stack), place, sessions)
}

fn in_axum(prefix: &'static str, router: Router, place: Place, sessions: Sessions) -> Mounted {
    let Place { listener, ended } = place;
    let serving = Box::pin(async move {
        let shutdown = shutdown(ended, sessions);
        axum::serve(listener, router).with_graceful_shutdown(shutdown).await.unwrap();
    });
    Mounted { prefix, serving }
}

pub(crate) fn tonic(stack: FakeStack, place: Place) -> Mounted {
    let Place { listener, ended } = place;
    let shutdown = shutdown(ended, stack.sessions().clone());
    let greeter = Routes::new(GrpcWebLayer::new().layer(Greeter));
    let routes = Routes::from(greeter.into_axum_router().nest_service("/agents", stack));
    let serving = Box::pin(async move {
        let server = Server::builder().accept_http1(true).add_routes(routes);
        server.serve_with_incoming_shutdown(TcpIncoming::from(listener), shutdown).await.unwrap();
    });
    Mounted { prefix: "/agents", serving }
}

async fn shutdown(ended: CancellationToken, sessions: Sessions) {
    ended.cancelled().await;
    sessions.shutdown().await;
}

/// Serves on bare hyper until the end, then ends the streams and waits for the connections.
pub(crate) async fn serve<S, B>(service: S, place: Place, end_streams: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let http = auto::Builder::new(TokioExecutor::new());
    loop {
        let (stream, _) = tokio::select! {
            accepted = place.listener.accept() => accepted.unwrap(),
            () = place.ended.cancelled() => break,
        };
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    end_streams.await;
    connections.shutdown().await;
}
