//! The greeter on the stack's port, called while a stream is open.

use http::Uri;
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use tonic::{
    Code,
    body::Body,
    client::{Grpc, GrpcService},
};
use tonic_prost::ProstCodec;
use tonic_web::GrpcWebClientLayer;
use tower::{BoxError, Layer};

use crate::{
    greeter::{GREET, Greeting, Person},
    host::{ADA, Host, Http},
    mount,
    support::Client,
};

/// Calls the greeter by grpc-web over this version of HTTP.
pub(crate) async fn over_grpc_web(origin: Uri, http: Http, name: &str) -> Result<String, tonic::Status> {
    let http = HttpClient::builder(TokioExecutor::new()).http2_only(http == Http::Two).build_http();
    greet(GrpcWebClientLayer::new().layer(http), origin, name).await
}

/// Calls the greeter by gRPC.
pub(crate) async fn over_grpc(origin: Uri, name: &str) -> Result<String, tonic::Status> {
    let http = HttpClient::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    greet(http, origin, name).await
}

async fn greet<S>(http: S, origin: Uri, name: &str) -> Result<String, tonic::Status>
where
    S: GrpcService<Body, Error: Into<BoxError>, ResponseBody: Send + 'static>,
    <S::ResponseBody as http_body::Body>::Error: Into<BoxError> + Send,
{
    let mut grpc = Grpc::with_origin(http, origin);
    grpc.ready().await.map_err(|error| tonic::Status::from_error(error.into()))?;
    let codec = ProstCodec::<Person, Greeting>::default();
    let person = tonic::Request::new(Person { name: name.to_owned() });
    Ok(grpc.unary(person, GREET.parse().unwrap(), codec).await?.into_inner().text)
}

/// The scheme and authority of a URL.
pub(crate) fn origin(url: &str) -> Uri {
    let mut parts = url.parse::<Uri>().unwrap().into_parts();
    parts.path_and_query = Some("/".parse().unwrap());
    parts.try_into().unwrap()
}

#[tokio::test]
async fn the_greeter_answers_grpc_and_grpc_web_while_streams_are_open() {
    for http in [Http::One, Http::Two] {
        let mut host = Host::start(mount::tonic, http).await;
        let (mut session, agent) = host.session().await;
        session.until("session_state").await;

        let origin = origin(&host.url);
        for name in ["ada", "bob"] {
            assert_eq!(over_grpc(origin.clone(), name).await.unwrap(), format!("hello {name}"));
            for web in [Http::One, Http::Two] {
                let greeting = over_grpc_web(origin.clone(), web, name).await.unwrap();
                assert_eq!(greeting, format!("hello {name}"), "{web:?}");
            }
        }
        let refused = over_grpc_web(origin, Http::One, "").await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "whom?"));

        agent.asks("toolu_1").await;
        session.until("permission_request").await;
        session.close().await;
    }
}

#[tokio::test]
async fn neither_answers_for_the_other() {
    let host = Host::start(mount::tonic, Http::Two).await;
    let greeter_below = host.client().with_token(None).post(GREET, "").await;
    assert_eq!(greeter_below.status, 401, "below the prefix the stack asks who is there");
    let outside = Client::http2(host.url.trim_end_matches("/agents"), Some(ADA));
    let sessions_outside = outside.get("/sessions").await;
    assert_eq!(sessions_outside.header("grpc-status"), Some("12"), "{sessions_outside:?}");
}
