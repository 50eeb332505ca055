//! A receiver of webhooks: it keeps what it gets, and answers as the test says.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};

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
    pub(crate) body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Answer(u16),
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
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).expect("UTF-8");
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mode = {
        let mut state = state.lock().unwrap();
        let path = parts.uri.path().to_owned();
        state.received.push(Received { path, headers, body });
        state.mode
    };
    let Mode::Answer(status) = mode else { return std::future::pending().await };
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert("location", "/elsewhere".parse().expect("a path"));
    Ok(response)
}

/// Whether the published verifier accepts each of these webhooks.
pub(crate) async fn verified(webhooks: &[(&str, &Received)]) -> Vec<bool> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhooks");
    assert!(
        folder.join("node_modules/standardwebhooks").exists(),
        "the published verifier is not installed: `make test` does it"
    );
    let mut node = Command::new("node")
        .arg("verify.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node 20 or newer runs");
    let lines: String = webhooks
        .iter()
        .map(|(secret, Received { body, headers, .. })| {
            json!({"secret": secret, "body": body, "headers": headers}).to_string() + "\n"
        })
        .collect();
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).await.expect("it reads");
    drop(stdin);
    let output = node.wait_with_output().await.expect("its end");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(|line| line == "true").collect()
}
