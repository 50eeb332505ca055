//! A typical axum server: `Sse` over a `tokio::sync::broadcast` channel, with the newest events in a deque.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Json, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{delete, get, post},
};
use futures_util::{StreamExt, stream};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

use agent_webkit_load::script::{Script, delta_data, filler, stamp};

const WINDOW: usize = 1000;
/// Number of events by which a reader may fall behind before it loses events.
const CHANNEL: usize = 4096;

type Sessions = Arc<Mutex<HashMap<String, Arc<Session>>>>;

struct Session {
    told: broadcast::Sender<Told>,
    recent: Mutex<(u64, VecDeque<Told>)>,
}

#[derive(Clone)]
struct Told {
    id: u64,
    name: &'static str,
    data: Arc<str>,
}

pub async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let router = Router::new()
        .route("/sessions", post(create))
        .route("/sessions/{id}", delete(remove))
        .route("/sessions/{id}/stream", get(follow))
        .route("/sessions/{id}/input", post(input))
        .with_state(Sessions::default());
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

fn table(sessions: &Sessions) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn create(State(sessions): State<Sessions>) -> Json<serde_json::Value> {
    let id = uuid::Uuid::new_v4().to_string();
    let session = Session { told: broadcast::channel(CHANNEL).0, recent: Mutex::default() };
    session.tell("session_ready", "{}".to_owned());
    table(&sessions).insert(id.clone(), Arc::new(session));
    Json(serde_json::json!({ "session_id": id, "protocol_version": "1.0" }))
}

async fn remove(State(sessions): State<Sessions>, Path(id): Path<String>) -> StatusCode {
    table(&sessions).remove(&id);
    StatusCode::NO_CONTENT
}

async fn input(State(sessions): State<Sessions>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let Some(session) = table(&sessions).get(&id).cloned() else { return StatusCode::NOT_FOUND };
    if let Some(script) = Script::of_input(&body) {
        tokio::spawn(async move { session.follow(script).await });
    }
    StatusCode::NO_CONTENT
}

async fn follow(State(sessions): State<Sessions>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(session) = table(&sessions).get(&id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (replay, live) = {
        let recent = session.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let replay: Vec<Told> = recent.1.iter().filter(|told| told.id > after).cloned().collect();
        (replay, session.told.subscribe())
    };
    let live = BroadcastStream::new(live).filter_map(|told| async move { told.ok() });
    let events = stream::iter(replay)
        .chain(live)
        .map(|told| Event::default().id(told.id.to_string()).event(told.name).data(told.data))
        .map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

impl Session {
    async fn follow(&self, script: Script) {
        match script {
            Script::Burst { events, bytes } => {
                let data = delta_data(&filler(bytes));
                for _ in 0..events {
                    self.tell("message_delta", data.clone());
                }
            }
            Script::Trickle { events, pause } => {
                let mut ticks = tokio::time::interval(pause);
                for _ in 0..events {
                    ticks.tick().await;
                    self.tell("message_delta", delta_data(&stamp()));
                }
            }
        }
    }

    fn tell(&self, name: &'static str, data: String) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.0 += 1;
        let told = Told { id: recent.0, name, data: data.into() };
        recent.1.push_back(told.clone());
        if recent.1.len() > WINDOW {
            recent.1.pop_front();
        }
        let _ = self.told.send(told);
    }
}
