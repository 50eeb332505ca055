//! An answer before the end of the request's body reaches a client that reads only after it has sent everything.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};

use crate::support::{PATIENCE, Server, TOKEN};

/// More than the buffers between a client and a server hold.
const LENGTH: usize = 3 << 20;

/// A request whose body the server has no reason to read.
struct Upload {
    method: Method,
    path: String,
    token: &'static str,
    host: &'static str,
    status: u16,
}

impl Upload {
    fn post(path: impl Into<String>, token: &'static str, status: u16) -> Self {
        Self { method: Method::POST, path: path.into(), token, host: "localhost", status }
    }
}

async fn uploads(server: &Server) -> Vec<Upload> {
    let id = server.client().created(&serde_json::json!({})).await;
    vec![
        Upload::post("/sessions", "wrong", 401),
        Upload::post("/sessions/none/input", TOKEN, 404),
        Upload::post("/nothing/here", TOKEN, 404),
        Upload::post("/sessions", TOKEN, 413),
        Upload::post(format!("/sessions/{id}/input"), TOKEN, 413),
        Upload::post("/healthz", TOKEN, 404),
        Upload::post(format!("/sessions/{id}/tickets"), TOKEN, 200),
        Upload { method: Method::PUT, ..Upload::post("/sessions", TOKEN, 405) },
        Upload { method: Method::GET, ..Upload::post("/healthz", TOKEN, 200) },
        Upload { host: "attacker.example", ..Upload::post("/sessions", TOKEN, 403) },
    ]
}

async fn server() -> Server {
    Server::builder().option("--max-body", "1KiB").start().await
}

/// Sends a request as a simple client does: all of it, then reads to the end of the answer.
async fn over_http1(authority: &str, upload: &Upload, headers: &str) -> (u16, Value) {
    let Upload { method, path, token, host, .. } = upload;
    let socket = TcpSocket::new_v4().unwrap();
    // Otherwise the kernel may take all of it, and the client never notices that nobody reads.
    socket.set_send_buffer_size(64 << 10).unwrap();
    let mut connection = socket.connect(authority.parse().unwrap()).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
        content-length: {LENGTH}\r\nconnection: close\r\n{headers}\r\n"
    );
    let mut answer = String::new();
    let sent_and_read = async {
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(&vec![b' '; LENGTH]).await?;
        connection.read_to_string(&mut answer).await
    };
    sent_and_read.await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(body).unwrap())
}

/// Sends a request on a stream of its own: all of it, then reads the answer.
async fn over_http2(authority: &str, upload: &Upload) -> (u16, Value) {
    let Upload { method, path, token, host, .. } = upload;
    let connection = tokio::net::TcpStream::connect(authority).await.unwrap();
    let (mut client, connection) = h2::client::handshake(connection).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{host}{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-length", LENGTH)
        .body(())
        .unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    let mut left = LENGTH;
    while left > 0 {
        body.reserve_capacity(left);
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
        let room = room.unwrap_or_else(|| panic!("{path}: the stream was reset")).unwrap();
        left -= room;
        body.send_data(Bytes::from(vec![b' '; room]), left == 0)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let response = response.await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let status = response.status().as_u16();
    let mut answer = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = answer.data().await {
        text.extend_from_slice(&data.unwrap());
    }
    connection.abort();
    let _ = connection.await;
    (status, serde_json::from_slice(&text).unwrap())
}

fn check(upload: &Upload, (status, body): &(u16, Value)) {
    assert_eq!(*status, upload.status, "{} {}: {body}", upload.method, upload.path);
    assert!(*status == 200 || body["detail"].is_string(), "{}: {body}", upload.path);
}

#[tokio::test]
async fn every_answer_arrives_over_http_1() {
    let server = server().await;
    for upload in uploads(&server).await {
        let answer = timeout(PATIENCE, over_http1(server.authority(), &upload, "")).await;
        check(&upload, &answer.unwrap_or_else(|_| panic!("no answer on {}", upload.path)));
    }
}

#[tokio::test]
async fn every_answer_arrives_over_http_2() {
    let server = server().await;
    for upload in uploads(&server).await {
        let answer = timeout(PATIENCE, over_http2(server.authority(), &upload)).await;
        check(&upload, &answer.unwrap_or_else(|_| panic!("no answer on {}", upload.path)));
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_so() {
    let server = Server::builder().no_token().flag("--no-auth").start().await;
    let foreign = "origin: http://attacker.example\r\nsec-fetch-site: cross-site\r\n";
    let upload = Upload::post("/sessions", TOKEN, 403);
    let answer = timeout(PATIENCE, over_http1(server.authority(), &upload, foreign)).await;
    check(&upload, &answer.expect("an answer"));
}
