//! A greeter behind an id lookup alone, without agents and without a runtime.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::ready,
    pin::pin,
    task::{Context, Poll, Waker},
};

use agent_webkit_layers::lookup::{LookupLayer, Resolved, Unavailable, resolve_fn};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let name = request.extensions().get::<Resolved<&str>>().map_or("whoever you are", |found| found.0);
    Ok(Response::new(Full::from(format!("hello {name}"))))
}

fn main() {
    let id = |parts: &Parts| parts.uri.path().strip_prefix("/people/").map(str::to_owned);
    let people = HashMap::from([("1".to_owned(), "ada")]);
    let resolver = resolve_fn(move |id: &str, _: &Parts| {
        ready(if id == "down" { Err(Unavailable::default()) } else { Ok(people.get(id).copied()) })
    });
    let layer = LookupLayer::new(id, resolver).not_found("there is no such person");
    let service = ServiceBuilder::new().layer(layer).service(service_fn(greet));
    let ask = |path: &str| {
        let request = Request::get(path).body(()).expect("a request");
        at_once(async {
            let (parts, body) = service.clone().oneshot(request).await.expect("infallible").into_parts();
            (parts.status.as_u16(), body.collect().await.expect("infallible").to_bytes())
        })
    };

    assert_eq!(ask("/people/1"), (200, "hello ada".into()));
    assert_eq!(ask("/people/2"), (404, r#"{"detail":"there is no such person"}"#.into()));
    assert_eq!(ask("/people/down").0, 503);
    assert_eq!(ask("/"), (200, "hello whoever you are".into()));
}

/// Returns the output of a future that is ready at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the layer waits for something"),
    }
}
