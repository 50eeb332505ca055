//! Servers of the Model Context Protocol in this process: what connects one to an agent, and the one that serves
//! [`Tools`](super::Tools).

mod message;
mod serving;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use serde_json::value::RawValue;
use tokio::sync::mpsc;

pub(crate) use self::message::Message;

/// Messages of a server to its agent that wait until they are sent.
const WAITING: usize = 64;

/// A server of the Model Context Protocol.
pub(crate) trait McpServer: Send + Sync + 'static {
    /// Serves one agent until its messages end.
    fn serve(&self, connection: Connection) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A server with its name.
#[derive(Clone)]
pub(crate) struct NamedServer {
    pub(crate) name: Arc<str>,
    pub(crate) server: Arc<dyn McpServer>,
}

impl fmt::Debug for NamedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedServer").field(&self.name).finish()
    }
}

/// The agent that calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) session_id: Arc<str>,
    owner: Arc<OnceLock<Arc<str>>>,
}

impl Caller {
    pub(crate) fn new(session_id: &str, owner: Option<Arc<str>>) -> Self {
        let caller = Self { session_id: session_id.into(), owner: Arc::default() };
        caller.set_owner(owner);
        caller
    }

    /// Sets the owner of the session, for an agent that was started before its session.
    pub(crate) fn set_owner(&self, owner: Option<Arc<str>>) {
        if let Some(owner) = owner {
            let _ = self.owner.set(owner);
        }
    }

    pub(crate) fn owner(&self) -> Option<String> {
        self.owner.get().map(ToString::to_string)
    }
}

/// A server's connection to one agent.
pub(crate) struct Connection {
    pub(crate) caller: Caller,
    /// What the agent sends: JSON-RPC messages.
    pub(crate) messages: mpsc::UnboundedReceiver<Box<RawValue>>,
    pub(crate) out: Outgoing,
}

/// What a server sends to its agent: JSON-RPC messages with the server's name.
#[derive(Clone)]
pub(crate) struct Outgoing {
    server: Arc<str>,
    sender: mpsc::Sender<(Arc<str>, Box<RawValue>)>,
}

impl Outgoing {
    /// Sends a message, once there is room for it.
    pub(crate) async fn send(&self, message: Box<RawValue>) {
        // Nobody receives it if the agent has ended.
        let _ = self.sender.send((Arc::clone(&self.server), message)).await;
    }

    /// Sends a message if there is room for it.
    pub(crate) fn try_send(&self, message: Box<RawValue>) {
        let _ = self.sender.try_send((Arc::clone(&self.server), message));
    }
}

/// The servers of one agent. They end when this is dropped.
pub(crate) struct Running {
    inboxes: Vec<(Arc<str>, mpsc::UnboundedSender<Box<RawValue>>)>,
    out: mpsc::Receiver<(Arc<str>, Box<RawValue>)>,
    _tasks: tokio::task::JoinSet<()>,
}

impl Running {
    /// Starts serving an agent.
    pub(crate) fn start(servers: &[NamedServer], caller: &Caller) -> Self {
        let (sender, out) = mpsc::channel(WAITING);
        let mut tasks = tokio::task::JoinSet::new();
        let inboxes = servers.iter().map(|NamedServer { name, server }| {
            let (inbox, messages) = mpsc::unbounded_channel();
            let out = Outgoing { server: Arc::clone(name), sender: sender.clone() };
            tasks.spawn(server.serve(Connection { caller: caller.clone(), messages, out }));
            (Arc::clone(name), inbox)
        });
        Self { inboxes: inboxes.collect(), out, _tasks: tasks }
    }

    /// Passes a message of the agent to a server. Returns whether there is one of this name.
    pub(crate) fn send(&self, server: &str, message: Box<RawValue>) -> bool {
        let inbox = self.inboxes.iter().find(|(name, _)| **name == *server);
        inbox.is_some_and(|(_, inbox)| inbox.send(message).is_ok())
    }

    /// Waits for the next message to the agent; for ever if there are no servers.
    pub(crate) async fn next(&mut self) -> (Arc<str>, Box<RawValue>) {
        match self.out.recv().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }
}
