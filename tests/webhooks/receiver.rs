//! A receiver of webhooks: it keeps what it gets, and answers as the test says.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, task::AbortHandle};

use crate::support::PATIENCE;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OTHER_SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBvdGhlciBlbmRwb2ludA==";

/// A webhook as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// One that is no text in base64url.
    pub(crate) body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Answer(u16),
    /// 429, and the pause in seconds that it asks for.
    Later(u64),
    Hang,
}

struct State {
    mode: Mode,
    received: Vec<Received>,
}

pub(crate) struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
    accepting: AbortHandle,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// The path of the link in it.
    pub(crate) fn link(&self, public_url: &str) -> String {
        let json = self.json();
        let url = json["data"]["approve_url"].as_str().unwrap_or_else(|| panic!("no link in {json}"));
        url.strip_prefix(public_url).unwrap_or_else(|| panic!("{url} is not below {public_url}")).to_owned()
    }
}

impl Receiver {
    pub(crate) async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { mode, received: Vec::new() }));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| receive(Arc::clone(&shared), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, state, accepting: accepting.abort_handle() }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/hook", self.url)
    }

    /// Its address without a path.
    pub(crate) fn origin(&self) -> &str {
        &self.url
    }

    pub(crate) fn answer(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Waits for webhooks until there are as many that fit.
    pub(crate) async fn until(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&Received) -> bool,
    ) -> Vec<Received> {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let received = self.received();
            let fitting: Vec<_> = received.iter().filter(|one| fits(one)).cloned().collect();
            if fitting.len() >= count {
                return fitting;
            }
            assert!(Instant::now() < deadline, "{what} did not come, but {received:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits for a webhook of this type.
    pub(crate) async fn one(&self, kind: &str) -> Received {
        self.until(kind, 1, |received| received.kind() == kind).await.remove(0)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn receive(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let body = String::from_utf8(body).unwrap_or_else(|body| BASE64_URL_SAFE_NO_PAD.encode(body.as_bytes()));
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mode = {
        let mut state = state.lock().unwrap();
        let path = parts.uri.path().to_owned();
        state.received.push(Received { path, headers, body });
        state.mode
    };
    let mut response = Response::new(Full::default());
    let status = match mode {
        Mode::Answer(status) => status,
        Mode::Later(seconds) => {
            response.headers_mut().insert("retry-after", seconds.into());
            429
        }
        Mode::Hang => return std::future::pending().await,
    };
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert("location", "/elsewhere".parse().expect("a path"));
    Ok(response)
}

/// Whether the published verifier accepts each of these webhooks.
pub(crate) async fn verified(webhooks: &[(&str, &Received)]) -> Vec<bool> {
    let json = |(secret, Received { body, headers, .. }): &(&str, &Received)| json!({"secret": secret, "body": body, "headers": headers});
    node("verify.mjs", webhooks.iter().map(json)).await.lines().map(|line| line == "true").collect()
}

/// What a script in Node prints of these lines.
pub(crate) async fn node(script: &str, lines: impl Iterator<Item = Value>) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhooks");
    assert!(
        folder.join("node_modules/http_ece").exists(),
        "the published verifiers are not installed: `make test` does it"
    );
    let mut node = Command::new("node")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node 20 or newer runs");
    let lines: String = lines.map(|line| line.to_string() + "\n").collect();
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).await.expect("it reads");
    drop(stdin);
    let output = node.wait_with_output().await.expect("its end");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}
