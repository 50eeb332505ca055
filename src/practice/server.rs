//! The HTTP/1.1 server of the practice model.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
    vec,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    time::Sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    message::{self, Frame},
    script::{self, Plan},
};

/// The maximum size of a request body, in bytes.
const MAX_REQUEST: usize = 256 * 1024 * 1024;

/// The size at which frames without a pause between them are no longer joined into one chunk, in bytes.
const CHUNK: usize = 16 * 1024;

/// A running server of the practice model. The [module](super) documents the scripts.
///
/// Dropping it stops the server at once and cuts off open responses.
#[derive(Debug)]
pub struct Model {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Model {
    /// Starts a server at this address; port 0 selects a free port.
    ///
    /// # Errors
    /// The address cannot be bound, or is not a loopback address: whoever can reach the model can make an
    /// agent run commands.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        if !addr.ip().is_loopback() {
            let message = format!("the practice model serves loopback only, not {addr}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(listener, stop.clone(), tasks.clone()));
        tasks.close();
        Ok(Self { addr, stop, tasks })
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the value for `ANTHROPIC_BASE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops the server at once and waits until every connection is closed.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let stop = stop.clone();
                tasks.spawn(async move { stop.run_until_cancelled(serve(stream)).await });
            }
            // Usually too many open files: without a pause this loop would spin until one is closed.
            Err(error) => {
                tracing::warn!(%error, "the practice model cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(
        TokioIo::new(stream),
        service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) }),
    );
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of the practice model failed");
    }
}

type AnswerBody = Either<Full<Bytes>, Paced>;

async fn answer(request: Request<Incoming>) -> Response<AnswerBody> {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::HEAD, _) => json(StatusCode::OK, &json!({})),
        (&Method::POST, "/v1/messages") => messages(request.into_body()).await,
        (&Method::POST, "/v1/messages/count_tokens") => json(StatusCode::OK, &json!({"input_tokens": 10})),
        _ => json(StatusCode::NOT_FOUND, &message::error("not_found_error", path)),
    }
}

async fn messages(body: Incoming) -> Response<AnswerBody> {
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refused(&*error),
    };
    let request: script::Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(&error),
    };
    match request.plan() {
        Plan::Error { status, kind } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, &message::error(&kind, &format!("The script asked for {kind}.")))
        }
        Plan::Message(answer) if request.stream => {
            let frames = message::frames(&request.model, &answer);
            let mut response = Response::new(Either::Right(Paced::new(frames)));
            let event_stream = header::HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, event_stream);
            response
        }
        Plan::Message(answer) => {
            tokio::time::sleep(answer.silence).await;
            json(StatusCode::OK, &message::whole(&request.model, &answer))
        }
    }
}

fn refused(error: &dyn std::error::Error) -> Response<AnswerBody> {
    json(StatusCode::BAD_REQUEST, &message::error("invalid_request_error", &error.to_string()))
}

fn json(status: StatusCode, body: &Value) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::from(body.to_string())));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A body that sends each frame after its pause.
#[derive(Debug)]
struct Paced {
    frames: std::iter::Peekable<vec::IntoIter<Frame>>,
    /// The running pause before the next frame. Boxed because `Sleep` is not `Unpin`.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(frames: Vec<Frame>) -> Self {
        Self { frames: frames.into_iter().peekable(), pause: None }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let Some(next) = this.frames.peek() else { return Poll::Ready(None) };
        if !next.pause.is_zero() {
            let pause = this.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(next.pause)));
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        let mut chunk = BytesMut::new();
        while let Some(frame) = this.frames.next() {
            chunk.extend_from_slice(&frame.bytes);
            let goes_along = this.frames.peek().is_some_and(|next| next.pause.is_zero());
            if !goes_along || chunk.len() >= CHUNK {
                break;
            }
        }
        Poll::Ready(Some(Ok(BodyFrame::data(chunk.freeze()))))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends one request on a new connection. Returns the head and the body of the response.
    async fn ask(model: &Model, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(model.addr()).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: practice\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn request(prompt: &str, stream: bool) -> String {
        json!({"model": "m-1", "stream": stream, "messages": [{"role": "user", "content": prompt}]})
            .to_string()
    }

    #[tokio::test]
    async fn answers_whole_or_as_a_stream() {
        let model = Model::bind("127.0.0.1:0").await.unwrap();

        let (head, body) = ask(&model, "POST", "/v1/messages?beta=true", &request("hi", false)).await;
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let message: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(message["content"], json!([{"type": "text", "text": "You said: hi"}]));
        assert_eq!(message["model"], "m-1");

        let prompt = r#"<<{"token_ms":1,"steps":["one two"]}>>"#;
        let (head, body) = ask(&model, "POST", "/v1/messages", &request(prompt, true)).await;
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let places: Vec<_> =
            ["message_start", "one ", "two", "content_block_stop", "end_turn", "message_stop"]
                .map(|part| body.find(part).unwrap_or_else(|| panic!("no {part} in {body}")))
                .into();
        assert!(places.is_sorted(), "{body}");

        model.shutdown().await;
    }

    #[tokio::test]
    async fn answers_everything_else_as_the_api_does() {
        let model = Model::bind("127.0.0.1:0").await.unwrap();
        let overloaded = request(r#"<<{"steps":[{"status":529,"error":"overloaded_error"}]}>>"#, true);
        for (method, path, body, status, told) in [
            ("HEAD", "/", "", "200", ""),
            ("GET", "/v1/models", "", "404", "not_found_error"),
            ("POST", "/v1/messages/count_tokens", "{}", "200", "input_tokens"),
            ("POST", "/v1/messages", "{", "400", "invalid_request_error"),
            ("POST", "/v1/messages", overloaded.as_str(), "529", "overloaded_error"),
        ] {
            let (head, answer) = ask(&model, method, path, body).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
            assert!(answer.contains(told), "{method} {path}: {answer}");
        }
    }

    #[tokio::test]
    async fn shutdown_ends_an_answer_that_hangs() {
        let model = Model::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(model.addr()).await.unwrap();
        let body = request(r#"<<{"steps":[{"hang":3600}]}>>"#, true);
        let length = body.len();
        let request =
            format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut begun = [0; 15];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");

        model.shutdown().await;
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn serves_loopback_only() {
        let error = Model::bind("0.0.0.0:0").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
