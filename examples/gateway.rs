//! An LLM proxy whose answers can be read again after a dropped connection. It puts auth, lookup and resume
//! in front of an upstream that cannot resume by itself. It has no agent.
//!
//! A client posts a request of the Messages API to `/answers`; the response's `Location` is the path of its
//! answer. The client reads the answer as an event stream, any number of times and from any event on; the
//! upstream is called once. Each client has its own token and sees only its own answers. Only the gateway
//! knows the upstream's
//! `UPSTREAM_KEY`.
//!
//! ```text
//! TOKENS=ada=secret,bob=hidden UPSTREAM=http://127.0.0.1:9000 ADDR=127.0.0.1:8000 cargo run --features practice --example gateway
//! curl -i http://127.0.0.1:8000/answers -H 'authorization: Bearer secret' \
//!     -d '{"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
//! curl -N http://127.0.0.1:8000/answers/… -H 'authorization: Bearer secret' -H 'last-event-id: 3'
//! ```
//!
//! Without `UPSTREAM` the practice model answers.

mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    env,
    error::Error,
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use agent_webkit::{
    layers::{
        auth::{AuthLayer, Principal, StaticTokens},
        lookup::{LookupLayer, Resolved, resolve_fn},
        resume::{RecordLayer, RingConfig, RingLog},
    },
    practice::Model,
};
use axum::{
    Router,
    body::{Body, Bytes},
};
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, ServiceBuilder, service_fn};
use uuid::Uuid;

/// Maximum length of a question, in bytes.
const MAX_QUESTION: usize = 8 << 20;

/// Maximum number of stored questions.
const MAX_QUESTIONS: usize = 1000;

/// How long an answer stays readable.
const RETAIN: Duration = Duration::from_secs(3600);

/// A question of a client.
#[derive(Clone)]
struct Question {
    owner: Principal,
    body: Bytes,
}

#[derive(Clone)]
struct Gateway {
    upstream: Arc<str>,
    key: Arc<str>,
    http: Client<HttpConnector, Full<Bytes>>,
    questions: Arc<Mutex<HashMap<String, Question>>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tokens = tokens(&env::var("TOKENS").map_err(|_| "clients need TOKENS, as ada=secret,bob=hidden")?)?;
    let listener = support::listen().await?;
    let ended = support::ended()?;
    let practice = Model::bind("127.0.0.1:0").await?;
    let gateway = Gateway {
        upstream: env::var("UPSTREAM").unwrap_or_else(|_| practice.url()).into(),
        key: env::var("UPSTREAM_KEY").unwrap_or_default().into(),
        http: Client::builder(TokioExecutor::new()).build_http(),
        questions: Arc::default(),
    };

    // The lookup outside of this layer has refused other callers, so the path is enough as a key.
    let key = |request: &Parts| {
        request.extensions.get::<Resolved<Question>>().map(|_| request.uri.path().to_owned())
    };
    let log = RingLog::new(RingConfig::default().window_events(100_000));
    let record = RecordLayer::new(log, key).retain(RETAIN);
    let recordings = record.recordings();
    let questions = Arc::clone(&gateway.questions);
    let find = resolve_fn(move |id: &str, request: &Parts| {
        let question = questions.lock().expect("nobody panics with it").get(id).cloned();
        let caller = request.extensions.get::<Principal>();
        ready(Ok(question.filter(|question| Some(&question.owner) == caller)))
    });
    let service = ServiceBuilder::new()
        .layer(AuthLayer::new(tokens))
        .layer(LookupLayer::new(answer_id, find).not_found("there is no such answer"))
        .layer(record)
        .service(service_fn(move |request| gateway.clone().serve(request)));

    support::announce(&listener, "/answers")?;
    // Streams end once their readers have read what is recorded. Without that, axum would wait for the
    // readers.
    let shutdown = async move {
        ended.await;
        recordings.shutdown().await;
    };
    axum::serve(listener, Router::new().fallback_service(service)).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

/// Parses tokens from `name=token,name=token`.
fn tokens(listed: &str) -> Result<StaticTokens, Box<dyn Error>> {
    let mut tokens = StaticTokens::default();
    for one in listed.split(',') {
        let (name, token) = one.split_once('=').ok_or("a token is written as name=token")?;
        tokens = tokens.with(name, token)?;
    }
    Ok(tokens)
}

fn answer_id(request: &Parts) -> Option<String> {
    request.uri.path().strip_prefix("/answers/").map(str::to_owned)
}

impl Gateway {
    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let (mut parts, body) = request.into_parts();
        let question = parts.extensions.remove::<Resolved<Question>>();
        let caller = parts.extensions.remove::<Principal>();
        Ok(match (&parts.method, parts.uri.path(), question, caller) {
            (&Method::POST, "/answers", _, Some(owner)) => self.keep(owner, body).await,
            (&Method::GET, _, Some(Resolved(question)), _) => {
                self.ask(question).await.unwrap_or_else(|error| {
                    refusal(StatusCode::BAD_GATEWAY, &format!("the upstream does not answer: {error}"))
                })
            }
            _ => refusal(StatusCode::NOT_FOUND, "there is nothing here"),
        })
    }

    /// Stores a question. The first read of its answer sends it to the upstream.
    async fn keep(self, owner: Principal, body: Body) -> Response<Body> {
        let Ok(body) = Limited::new(body, MAX_QUESTION).collect().await else {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "this question is too long");
        };
        let id = Uuid::new_v4().to_string();
        {
            let mut questions = self.questions.lock().expect("nobody panics with it");
            if questions.len() >= MAX_QUESTIONS {
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "there are too many questions");
            }
            questions.insert(id.clone(), Question { owner, body: body.to_bytes() });
        }
        let location = format!("/answers/{id}");
        tokio::spawn(async move {
            tokio::time::sleep(RETAIN).await;
            self.questions.lock().expect("nobody panics with it").remove(&id);
        });
        let created = Response::builder().status(StatusCode::CREATED).header(header::LOCATION, location);
        created.body(Body::empty()).expect("a path is a header's value")
    }

    /// Sends a question to the upstream.
    async fn ask(self, question: Question) -> Result<Response<Body>, BoxError> {
        let request = Request::post(format!("{}/v1/messages", self.upstream))
            .header(header::CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01")
            .header("x-api-key", &*self.key)
            .body(Full::new(question.body))?;
        Ok(self.http.request(request).await?.map(Body::new))
    }
}

fn refusal(status: StatusCode, sentence: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::json!({ "detail": sentence }).to_string()));
    *response.status_mut() = status;
    response
}
