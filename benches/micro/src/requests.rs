//! Requests to the stack, without a connection.

use std::convert::Infallible;

use agent_webkit::{
    Stack,
    agent::{AgentIo, SessionSpec},
    layers::auth::Disabled,
    service::Policy,
};
use http::{Request, StatusCode, request::Builder};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::{ServiceExt, service_fn};

/// Creates this many sessions, each with an agent in this process, and deletes each before the next.
pub fn create_and_delete(times: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let policy = Policy::new(["."]).expect("the folder exists");
        let stack = Stack::builder(service_fn(start), policy).auth(Disabled).build();
        let send = async |request: Builder, body: &str| {
            let request = request.body(body.to_owned()).expect("it is valid");
            let Ok(response) = stack.clone().oneshot(request).await;
            response
        };
        for _ in 0..times {
            let created = send(Request::post("/sessions"), "{}").await;
            assert_eq!(created.status(), StatusCode::OK);
            let body = created.into_body().collect().await.expect("it is in memory").to_bytes();
            let body = String::from_utf8_lossy(&body);
            let id = body.split('"').nth(3).expect("the id comes first");
            let deleted = send(Request::delete(format!("/sessions/{id}")), "").await;
            assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        }
    });
}

async fn start(_: SessionSpec) -> Result<AgentIo, Infallible> {
    let (commands, mut heard) = mpsc::channel(8);
    let (say, events) = mpsc::channel(8);
    tokio::spawn(async move {
        while heard.recv().await.is_some() {}
        drop(say);
    });
    Ok(AgentIo { commands, events })
}
