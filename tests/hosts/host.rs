//! The stack on one host, and clients for it.

use std::{pin::Pin, time::Duration};

use agent_webkit::{
    Stack,
    layers::{
        auth::StaticTokens,
        resume::{RingConfig, RingLog},
    },
    service::{Limits, Policy},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    fake::{FakeAgents, Far},
    support::{Client, PATIENCE, Session},
};

pub(crate) type FakeStack = Stack<FakeAgents, StaticTokens>;

/// Maximum length of a request body.
pub(crate) const MAX_BODY: usize = 1024;

/// Number of events in the window.
pub(crate) const WINDOW: u64 = 50;

/// The token that clients send, and that a gateway sends on behalf of the same principal.
pub(crate) const ADA: &str = "ada-s-own-token";
pub(crate) const BOB: &str = "bob-s-own-token";
pub(crate) fn behind_a_gateway(principal: &str) -> String {
    format!("gateway-for-{principal}")
}

/// The HTTP version of the clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Http {
    One,
    Two,
}

/// Where a host serves, and until when.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) listener: TcpListener,
    pub(crate) ended: CancellationToken,
}

/// A running host: the path at which the stack is mounted, and the host's end.
pub(crate) struct Mounted {
    pub(crate) prefix: &'static str,
    pub(crate) serving: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A running stack. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) http: Http,
    pub(crate) url: String,
    pub(crate) stack: FakeStack,
    agents: mpsc::UnboundedReceiver<Far>,
    ended: CancellationToken,
    serving: JoinHandle<()>,
    _workspace: TempDir,
}

impl Host {
    /// Serves a new stack on this host.
    pub(crate) async fn start(mount: impl FnOnce(FakeStack, Place) -> Mounted, http: Http) -> Self {
        let (fake, agents) = FakeAgents::new();
        let workspace = tempfile::tempdir().unwrap();
        let mut tokens = StaticTokens::default();
        for (name, token) in [("ada", ADA), ("bob", BOB)] {
            tokens = tokens.with(name, token).unwrap().with(name, behind_a_gateway(name)).unwrap();
        }
        let stack = Stack::builder(fake, Policy::new([workspace.path()]).unwrap())
            .auth(tokens)
            .limits(Limits::default().max_body(MAX_BODY))
            .log(RingLog::new(RingConfig::default().window_events(WINDOW as usize)))
            .keepalive(Duration::from_millis(100))
            .build();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ended = CancellationToken::new();
        let Mounted { prefix, serving } = mount(stack.clone(), Place { listener, ended: ended.clone() });
        let url = format!("http://{address}{prefix}");
        Self { http, url, stack, agents, ended, serving: tokio::spawn(serving), _workspace: workspace }
    }

    /// Ada's client.
    pub(crate) fn client(&self) -> Client {
        match self.http {
            Http::One => Client::new(&self.url, Some(ADA)),
            Http::Two => Client::http2(&self.url, Some(ADA)),
        }
    }

    /// Creates a session that Ada reads, and returns it with its agent.
    pub(crate) async fn session(&mut self) -> (Session, Far) {
        let session = Session::create(self.client(), &json!({})).await;
        (session, self.agent().await)
    }

    /// Waits for the next started agent.
    pub(crate) async fn agent(&mut self) -> Far {
        self.agents.recv().await.expect("an agent was started")
    }

    /// Asks the host to end, as a signal does, and returns a future of its end.
    pub(crate) fn end(&mut self) -> impl Future<Output = ()> {
        self.ended.cancel();
        let serving = std::mem::replace(&mut self.serving, tokio::spawn(async {}));
        async {
            tokio::time::timeout(PATIENCE, serving).await.expect("the host ends").expect("without a panic");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
