//! A feed that tickets in the URL open, without agents and without a runtime.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use agent_webkit_layers::{
    auth::{AuthLayer, Principal},
    ticket::{TicketLayer, Tickets},
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt, service_fn};

async fn feed(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().query(), None, "the ticket was taken out");
    Ok(Response::new(Full::from("news")))
}

fn room(request: &Parts) -> Option<String> {
    request.uri.path().strip_prefix("/rooms/").map(str::to_owned)
}

fn main() {
    let tickets = Tickets::default();
    let service = ServiceBuilder::new()
        .layer(TicketLayer::new())
        .layer(AuthLayer::new(tickets.verifier(room)))
        .service(service_fn(feed));
    let ticket = at_once(tickets.issue("1", Principal::new("ada"))).expect("room for one").ticket;
    let status = |path: &str| {
        let request = Request::get(path).body(()).expect("a request");
        at_once(service.clone().oneshot(request)).expect("infallible").status().as_u16()
    };

    assert_eq!(status(&format!("/rooms/1?ticket={ticket}")), 200);
    assert_eq!(status(&format!("/rooms/2?ticket={ticket}")), 401);
    assert_eq!(status("/rooms/1?ticket=guess"), 401);
    assert_eq!(status("/rooms/1"), 401);
}

/// Returns the output of a future that is ready at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the layer waits for something"),
    }
}
