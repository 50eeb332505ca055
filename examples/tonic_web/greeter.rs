//! The service that tonic's code generator would write, and its one method:
//!
//! ```proto
//! package greet;
//! service Greeter { rpc Greet (Person) returns (Greeting); }
//! message Person { string name = 1; }
//! message Greeting { string text = 1; }
//! ```

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::Body;
use tonic::{Request, Response, Status, server::NamedService};
use tonic_prost::ProstCodec;
use tower::{BoxError, Service, service_fn};

/// The path of the method.
pub(crate) const GREET: &str = "/greet.Greeter/Greet";

/// The name to greet.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Person {
    /// The name.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// The greeting.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Greeting {
    /// The text.
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

async fn greet(person: Request<Person>) -> Result<Response<Greeting>, Status> {
    let Person { name } = person.into_inner();
    if name.is_empty() {
        return Err(Status::invalid_argument("whom?"));
    }
    Ok(Response::new(Greeting { text: format!("hello {name}") }))
}

/// `greet.Greeter`.
#[derive(Clone, Debug)]
pub(crate) struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "greet.Greeter";
}

type Answer = http::Response<tonic::body::Body>;

impl<B> Service<http::Request<B>> for Greeter
where
    B: Body<Error: Into<BoxError> + Send> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != GREET {
                return Ok(Status::unimplemented("there is no such method").into_http());
            }
            let codec = ProstCodec::<Greeting, Person>::default();
            Ok(tonic::server::Grpc::new(codec).unary(service_fn(greet), request).await)
        })
    }
}
