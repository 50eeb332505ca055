//! A greeter behind bearer authentication alone, without agents and without a runtime.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use agent_webkit_layers::auth::{AuthLayer, Principal, StaticTokens};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let name = request.extensions().get::<Principal>().map_or("nobody", |principal| &*principal.name);
    Ok(Response::new(Full::from(format!("hello {name}"))))
}

fn main() {
    let tokens = StaticTokens::default().with("ada", "s3cret").expect("a token");
    let service = ServiceBuilder::new().layer(AuthLayer::new(tokens)).service(service_fn(greet));
    let ask = |authorization: Option<&str>| {
        let mut request = Request::new(());
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().expect("a header value"));
        }
        at_once(async {
            let (parts, body) = service.clone().oneshot(request).await.expect("infallible").into_parts();
            let body = body.collect().await.expect("infallible").to_bytes();
            let challenge = parts.headers.get("www-authenticate").map(|value| value.as_bytes().to_owned());
            (parts.status.as_u16(), challenge, body)
        })
    };

    assert_eq!(ask(Some("Bearer s3cret")), (200, None, "hello ada".into()));
    assert_eq!(ask(None), (401, Some(b"Bearer".to_vec()), r#"{"detail":"a bearer token is needed"}"#.into()));
    assert_eq!(
        ask(Some("Bearer guess")),
        (
            401,
            Some(br#"Bearer error="invalid_token""#.to_vec()),
            r#"{"detail":"the bearer token is not valid"}"#.into()
        )
    );
}

/// Returns the output of a future that is ready at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the layer waits for something"),
    }
}
