//! Servers on free ports of this host, and a scripted upstream.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::post,
};
use futures_util::stream;
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;

/// Serves an app until the test ends, and returns its address.
pub(crate) async fn serve(app: Router) -> Uri {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// An upstream with the streams of chat completions.
#[derive(Clone)]
pub(crate) struct Completions {
    pub(crate) calls: Arc<AtomicUsize>,
    /// Every stream that is sent holds a receiver.
    streams: watch::Sender<()>,
}

impl Default for Completions {
    fn default() -> Self {
        Self { calls: Arc::default(), streams: watch::Sender::new(()) }
    }
}

impl Completions {
    pub(crate) fn app(&self) -> Router {
        let upstream = self.clone();
        Router::new().route("/v1/chat/completions", post(move |headers| upstream.clone().answer(headers)))
    }

    /// Waits until no stream is sent.
    pub(crate) async fn dropped(&self) {
        self.streams.closed().await;
    }

    /// The header `x-words` has the number of words.
    async fn answer(self, headers: HeaderMap) -> Response {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let words = headers.get("x-words").map_or("100", |words| words.to_str().unwrap());
        let Ok(words) = words.parse::<usize>() else {
            return (StatusCode::TOO_MANY_REQUESTS, "slow down").into_response();
        };
        let held = self.streams.subscribe();
        let chunks = stream::unfold((0, held), move |(word, held)| async move {
            tokio::task::yield_now().await;
            let delta = json!({"choices": [{"index": 0, "delta": {"content": format!("word {word} ")}}]});
            let data = if word == words { "[DONE]".to_owned() } else { delta.to_string() };
            let event = Ok::<_, Infallible>(Event::default().data(data));
            (word <= words).then_some((event, (word + 1, held)))
        });
        Sse::new(chunks).into_response()
    }
}
