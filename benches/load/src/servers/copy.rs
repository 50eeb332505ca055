//! The realistic limit: bare hyper. Frames are encoded once, and each reader joins its waiting frames into
//! one write. It has no limits, no auth, no resume checks and no agent.

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use agent_webkit_load::script::{Script, delta_data, filler, stamp};

/// Approximate maximum length of a write, as in the product.
const WRITE: usize = 64 << 10;
const WINDOW: usize = 1000;

type Sessions = Arc<RwLock<HashMap<String, Arc<Stream>>>>;

pub async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let sessions = Sessions::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let sessions = Arc::clone(&sessions);
        let service = service_fn(move |request| answer(request, Arc::clone(&sessions)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

type Answer = Response<Either<Full<Bytes>, Follow>>;

async fn answer(request: Request<Incoming>, sessions: Sessions) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let path: Vec<&str> = parts.uri.path().split('/').skip(2).collect();
    let find = |id: &str| sessions.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
    let mut answer = Response::new(Either::Left(Full::default()));
    match (&parts.method, &path[..]) {
        (&Method::POST, []) => {
            let id = uuid::Uuid::new_v4().to_string();
            let body = format!(r#"{{"session_id":"{id}","protocol_version":"1.0"}}"#);
            let stream = Arc::new(Stream::default());
            stream.push([("session_ready", body.clone())]);
            sessions.write().unwrap_or_else(PoisonError::into_inner).insert(id, stream);
            answer.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
            *answer.body_mut() = Either::Left(Full::from(body));
        }
        (&Method::DELETE, [id]) => {
            sessions.write().unwrap_or_else(PoisonError::into_inner).remove(*id);
            *answer.status_mut() = StatusCode::NO_CONTENT;
        }
        (&Method::GET, [id, "stream"]) => {
            let Some(stream) = find(id) else { return Ok(not_found()) };
            let last = parts.headers.get("last-event-id").and_then(|last| last.to_str().ok()?.parse().ok());
            let headers = answer.headers_mut();
            headers.insert("content-type", "text/event-stream".parse().expect("a value"));
            headers.insert("cache-control", "no-cache".parse().expect("a value"));
            *answer.body_mut() = Either::Right(Follow { stream, next: last.unwrap_or(0) });
        }
        (&Method::POST, [id, "input"]) => {
            let Some(stream) = find(id) else { return Ok(not_found()) };
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            if let Some(script) = Script::of_input(&body) {
                tokio::spawn(async move { stream.follow(script).await });
            }
            *answer.status_mut() = StatusCode::NO_CONTENT;
        }
        _ => return Ok(not_found()),
    }
    Ok(answer)
}

fn not_found() -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

#[derive(Default)]
struct Stream {
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// The frames, numbered from 1; the first `first` frames have left the window.
    frames: std::collections::VecDeque<Bytes>,
    first: usize,
    wakers: Vec<Waker>,
}

impl Stream {
    async fn follow(&self, script: Script) {
        match script {
            Script::Burst { events, bytes } => {
                let data = delta_data(&filler(bytes));
                self.push((0..events).map(|_| ("message_delta", data.clone())));
            }
            Script::Trickle { events, pause } => {
                let mut ticks = tokio::time::interval(pause);
                for _ in 0..events {
                    ticks.tick().await;
                    self.push([("message_delta", delta_data(&stamp()))]);
                }
            }
        }
    }

    fn push(&self, events: impl IntoIterator<Item = (&'static str, String)>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, data) in events {
            let id = log.first + log.frames.len() + 1;
            let mut frame = Vec::with_capacity(data.len() + 48);
            let _ = write!(frame, "id: {id}\nevent: {name}\ndata: {data}\n\n");
            log.frames.push_back(frame.into());
        }
        // Twice the window, so that a slow reader still finds a whole burst.
        while log.frames.len() > 2 * WINDOW + 100 {
            log.frames.pop_front();
            log.first += 1;
        }
        let wakers = std::mem::take(&mut log.wakers);
        drop(log);
        wakers.into_iter().for_each(Waker::wake);
    }
}

struct Follow {
    stream: Arc<Stream>,
    next: usize,
}

impl Body for Follow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let mut log = this.stream.log.lock().unwrap_or_else(PoisonError::into_inner);
        let from = this.next.max(log.first) - log.first;
        if from >= log.frames.len() {
            log.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let mut joined = Vec::with_capacity(WRITE);
        let mut to = from;
        while let Some(frame) = log.frames.get(to)
            && (joined.is_empty() || joined.len() + frame.len() <= WRITE)
        {
            joined.extend_from_slice(frame);
            to += 1;
        }
        this.next = log.first + to;
        Poll::Ready(Some(Ok(Frame::data(joined.into()))))
    }
}
