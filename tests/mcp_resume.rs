//! `rmcp`'s own client before the example `mcp_resume`, whose processes are killed: each message arrives once.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rmcp::{
    ClientHandler, RoleClient, ServiceError,
    model::{CallToolRequestParams, CallToolResult, ProgressNotificationParam, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService},
    transport::StreamableHttpClientTransport,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

#[path = "support/ports.rs"]
mod ports;
#[path = "support/postgres.rs"]
mod postgres;

/// Maximum time for anything to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const COUNT: usize = 20;

/// The example as a process.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(database: &str) -> Self {
        let tests = std::env::current_exe().unwrap();
        let example = tests.ancestors().nth(2).unwrap().join("examples/mcp_resume");
        let mut command = Command::new(example);
        command.env("DATABASE", database).env_remove("ADDR");
        let mut process =
            command.stdout(Stdio::piped()).spawn().expect("`cargo build --examples` has built it");
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().trim_start_matches("listening on http://").trim_end_matches("/mcp");
        Self { address: address.parse().expect("an address"), process }
    }

    /// Kills it, with no time to do anything.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The way from the client to the server of the moment.
struct Network {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: Mutex<SocketAddr>,
    /// Everything that servers have sent.
    sent: watch::Sender<String>,
    /// What a server sends after so many messages of progress does not get through.
    passes: watch::Sender<usize>,
    /// A change breaks all connections.
    cuts: watch::Sender<()>,
}

impl Network {
    async fn before(server: &Server, passes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server: Mutex::new(server.address),
            sent: watch::Sender::default(),
            passes: watch::Sender::new(passes),
            cuts: watch::Sender::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut cuts = state.cuts.subscribe();
                    tokio::select! {
                        _ = state.relay(client) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, state }
    }

    /// From now on, connections lead to this server, and everything gets through.
    fn leads_to(&self, server: &Server) {
        *self.state.server.lock().unwrap() = server.address;
        self.state.passes.send_replace(usize::MAX);
    }

    fn cut(&self) {
        self.state.cuts.send_replace(());
    }

    async fn has_sent(&self, text: &str) {
        let mut sent = self.state.sent.subscribe();
        let waits = sent.wait_for(|sent| sent.contains(text));
        tokio::time::timeout(PATIENCE, waits).await.expect("the server sends it").unwrap();
    }
}

impl State {
    async fn relay(&self, client: TcpStream) -> std::io::Result<()> {
        let server = *self.server.lock().unwrap();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
        let (mut from_client, mut to_client) = client.into_split();
        let up = async move { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
        let down = async move {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = from_server.read(&mut buffer).await?;
                if read == 0 {
                    return Ok(());
                }
                self.sent.send_modify(|sent| sent.push_str(&String::from_utf8_lossy(&buffer[..read])));
                let progress = self.sent.borrow().matches("notifications/progress").count();
                if progress <= *self.passes.borrow() {
                    to_client.write_all(&buffer[..read]).await?;
                }
            }
        };
        // A client may close its half and read on.
        tokio::try_join!(up, down).map(drop)
    }
}

/// Keeps every message of progress.
#[derive(Clone)]
struct Recorder(watch::Sender<Vec<u32>>);

impl ClientHandler for Recorder {
    async fn on_progress(&self, progress: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.send_modify(|seen| seen.push(progress.progress as u32));
    }
}

struct Client {
    service: Arc<RunningService<RoleClient, Recorder>>,
    recorder: Recorder,
}

impl Client {
    async fn new(network: &Network, lifecycle: ClientLifecycleMode) -> Self {
        let recorder = Recorder(watch::Sender::default());
        let transport = StreamableHttpClientTransport::from_uri(format!("http://{}/mcp", network.address));
        let service = recorder.clone().serve_with_lifecycle(transport, lifecycle).await.unwrap();
        Self { service: Arc::new(service), recorder }
    }

    fn counts(&self) -> JoinHandle<Result<CallToolResult, ServiceError>> {
        let service = Arc::clone(&self.service);
        tokio::spawn(async move { service.call_tool(CallToolRequestParams::new("count")).await })
    }

    fn seen(&self) -> Vec<u32> {
        self.recorder.0.borrow().clone()
    }

    async fn has_seen(&self, number: u32) {
        let mut seen = self.recorder.0.subscribe();
        let waits = seen.wait_for(|seen| seen.contains(&number));
        tokio::time::timeout(PATIENCE, waits).await.expect("it comes").unwrap();
    }
}

fn sqlite(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("calls.db").display())
}

fn all() -> Vec<u32> {
    (1..=COUNT as u32).collect()
}

/// The server is killed when it has stored everything, of which the client has little.
async fn everything_stored_arrives_once(lifecycle: ClientLifecycleMode) {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(&sqlite(&folder));
    let network = Network::before(&first, 5).await;
    let client = Client::new(&network, lifecycle).await;
    let call = client.counts();
    network.has_sent(&format!("Counted to {COUNT}.")).await;
    assert!(client.seen().len() <= 5 && !call.is_finished());
    first.kill();

    let second = Server::start(&sqlite(&folder));
    network.leads_to(&second);
    let result = tokio::time::timeout(PATIENCE, call).await.expect("the call ends").unwrap().unwrap();
    assert_eq!(result.content[0].as_text().unwrap().text, format!("Counted to {COUNT}."));
    assert_eq!(client.seen(), all());
}

#[tokio::test]
async fn a_call_of_a_session_ends_after_its_server_was_killed() {
    everything_stored_arrives_once(ClientLifecycleMode::Initialize).await;
}

#[tokio::test]
async fn a_call_without_a_session_ends_after_its_server_was_killed() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    everything_stored_arrives_once(ClientLifecycleMode::Discover { preferred_versions }).await;
}

#[tokio::test]
async fn a_session_goes_on_after_its_server_was_killed_in_the_middle_of_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(&sqlite(&folder));
    let network = Network::before(&first, usize::MAX).await;
    let client = Client::new(&network, ClientLifecycleMode::Initialize).await;
    let cut = client.counts();
    client.has_seen(3).await;
    first.kill();

    let second = Server::start(&sqlite(&folder));
    network.leads_to(&second);
    let before = client.seen();
    let again = client.counts();
    let result = tokio::time::timeout(PATIENCE, again).await.expect("the call ends").unwrap().unwrap();
    assert_eq!(result.content[0].as_text().unwrap().text, format!("Counted to {COUNT}."));
    // What the first call had sent came once, whether before or after the kill, and its response never comes.
    let seen = client.seen();
    let of_first = seen.len() - COUNT;
    assert!(of_first >= before.len(), "{seen:?}");
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    let mut expected: Vec<u32> = all().into_iter().chain(1..=of_first as u32).collect();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    assert!(!cut.is_finished());
    cut.abort();
}

#[tokio::test]
async fn a_client_reads_on_at_another_server_while_the_call_goes_on() {
    let database = postgres::TestDatabase::new().await;
    let [first, second] = [0, 1].map(|_| Server::start(database.url()));
    let network = Network::before(&first, usize::MAX).await;
    let client = Client::new(&network, ClientLifecycleMode::Initialize).await;
    let call = client.counts();
    client.has_seen(3).await;
    network.leads_to(&second);
    network.cut();
    let result = tokio::time::timeout(PATIENCE, call).await.expect("the call ends").unwrap().unwrap();
    assert_eq!(result.content[0].as_text().unwrap().text, format!("Counted to {COUNT}."));
    assert_eq!(client.seen(), all());
    drop(first);
}
