//! axum's `Sse` with the parts of its documentation: events with ids, a keepalive, and a buffer for those who come back.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    error::Error,
    future::poll_fn,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::any,
};
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast;

use crate::source::{Settings, Source};

/// As many events as a stream of `RecordLayer` keeps in memory.
const KEPT: usize = 1000;

/// A reader that is further behind is cut off, and finds the rest in the buffer.
const FOLLOWED: usize = 64;

type Sent = (usize, Arc<str>);

/// A stream that is running or over: its newest events, and who follows it. The sender is gone once it is over.
struct Run {
    buffer: Mutex<(VecDeque<Sent>, Option<broadcast::Sender<Sent>>)>,
}

type Runs = Arc<Mutex<HashMap<String, Arc<Run>>>>;

fn start(settings: Settings) -> Arc<Run> {
    let run = Arc::new(Run { buffer: Mutex::new((VecDeque::new(), Some(broadcast::channel(FOLLOWED).0))) });
    let running = Arc::clone(&run);
    tokio::spawn(async move {
        let mut source = Source::new(settings);
        let mut id = 0;
        while let Some(data) = poll_fn(|cx| source.poll(cx)).await {
            id += 1;
            let sent: Sent = (id, data.into());
            let (buffer, followers) = &mut *running.buffer.lock().unwrap();
            buffer.push_back(sent.clone());
            if buffer.len() > KEPT {
                buffer.pop_front();
            }
            let _ = followers.as_ref().map(|followers| followers.send(sent));
        }
        running.buffer.lock().unwrap().1 = None;
    });
    run
}

async fn events(State(runs): State<Runs>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let run = {
        let mut runs = runs.lock().unwrap();
        match (runs.get(&id), Query::try_from_uri(&uri).ok()) {
            (Some(run), _) => Arc::clone(run),
            (None, Some(Query(settings))) => Arc::clone(runs.entry(id).or_insert_with(|| start(settings))),
            (None, None) => return StatusCode::NOT_FOUND.into_response(),
        }
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (replay, live) = {
        let (buffer, followers) = &*run.buffer.lock().unwrap();
        let replay: Vec<_> = buffer.iter().filter(|(id, _)| *id > last).cloned().collect();
        (replay, followers.as_ref().map(broadcast::Sender::subscribe))
    };
    let live = stream::unfold(live, |live| async move {
        let mut live = live?;
        live.recv().await.ok().map(|sent| (sent, Some(live)))
    });
    let events = stream::iter(replay).chain(live);
    let events =
        events.map(|(id, data)| Ok::<_, Infallible>(Event::default().id(id.to_string()).data(&*data)));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

pub(crate) async fn serve() -> Result<(), Box<dyn Error>> {
    let app = Router::new().route("/{id}", any(events)).with_state(Runs::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
