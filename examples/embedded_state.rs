//! The stack inside an application with its own authentication, layers and metrics.
//!
//! The application authenticates callers before they reach the stack, and the stack trusts it: its verifier
//! returns the [`Principal`] that the application's layer has put into the request. The application counts
//! requests by principal and open streams, reports them at `/metrics`, and lists the caller's sessions at
//! `/me` from the stack's registry.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --features cli --example embedded_state
//! curl http://127.0.0.1:8000/me -H 'authorization: Bearer secret'
//! curl http://127.0.0.1:8000/metrics
//! ```

mod support;

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write as _,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use agent_webkit::{
    Stack,
    layers::{
        auth::{AuthLayer, Denied, Principal, verify_fn},
        resume::{RingConfig, RingLog},
    },
    service::Sessions,
    settings::Settings,
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use http::{header, request::Parts};
use http_body_util::BodyExt;

/// The state that the application's handlers share.
#[derive(Clone)]
struct App {
    sessions: Sessions,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    requests: Mutex<BTreeMap<Arc<str>, u64>>,
    streams: AtomicUsize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let listener = support::listen().await?;
    settings.check_exposure([listener.local_addr()?.ip()])?;
    let ended = support::ended()?;

    let (claude, _model) = settings.agent().await?;
    let whom_the_application_knows =
        verify_fn(|request: &Parts| ready(request.extensions.get().cloned().ok_or(Denied::Missing)));
    let mut window = RingConfig::default();
    if let Some(events) = settings.log_window {
        window = window.window_events(events.get());
    }
    let stack = Stack::builder(claude, settings.policy()?)
        .auth(whom_the_application_knows)
        .log(RingLog::new(window))
        .limits(settings.limits())
        .keepalive(settings.keepalive)
        .build();
    let sessions = stack.sessions().clone();

    let app = App { sessions: sessions.clone(), counters: Arc::default() };
    let known_callers_only = Router::new()
        .route("/me", get(me))
        .nest_service("/agents", stack)
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .layer(AuthLayer::new(settings.credentials()?.verifier));
    let router = known_callers_only.route("/metrics", get(metrics)).with_state(app);

    support::announce(&listener, "/agents")?;
    let shutdown = async move {
        ended.await;
        sessions.shutdown().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

async fn me(Extension(caller): Extension<Principal>, State(app): State<App>) -> String {
    let sessions = app.sessions.list(Some(&caller.name));
    let ids = sessions.iter().map(|session| format!("{}\n", session.id()));
    format!("{}\n{}", caller.name, ids.collect::<String>())
}

async fn metrics(State(app): State<App>) -> String {
    let mut text = String::new();
    for (name, requests) in &*app.counters.requests.lock().expect("nobody panics with it") {
        let _ = writeln!(text, "requests_total{{principal=\"{name}\"}} {requests}");
    }
    let _ = writeln!(text, "streams {}", app.counters.streams.load(Ordering::Relaxed));
    let _ = writeln!(text, "sessions {}", app.sessions.len());
    text
}

/// Counts requests by principal, and streams while they are open.
async fn count(
    State(app): State<App>,
    Extension(caller): Extension<Principal>,
    request: Request,
    next: Next,
) -> Response {
    *app.counters.requests.lock().expect("nobody panics with it").entry(caller.name).or_default() += 1;
    let response = next.run(request).await;
    if response.headers().get(header::CONTENT_TYPE).is_none_or(|value| value != "text/event-stream") {
        return response;
    }
    let open = OpenStream::count(app.counters);
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &open;
            frame
        }))
    })
}

/// An open stream, counted until the body that owns it is dropped.
struct OpenStream(Arc<Counters>);

impl OpenStream {
    fn count(counters: Arc<Counters>) -> Self {
        counters.streams.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
