//! The hosts as their clients see them: any of them may be away at any time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::{Method, Response, StatusCode};
use hyper::body::Incoming;

use crate::support::{Client, Random};

/// A client gives up a request after this time, and asks again, perhaps another host.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The clients of all hosts.
#[derive(Debug)]
pub(crate) struct Hosts {
    clients: Vec<Client>,
    /// The next host, if each request goes to the next one.
    next: Option<AtomicUsize>,
}

impl Hosts {
    pub(crate) fn new(clients: Vec<Client>) -> Self {
        Self { clients, next: None }
    }

    /// Each request goes to the next host, as with a balancer without any memory.
    pub(crate) fn round_robin(clients: Vec<Client>) -> Self {
        Self { clients, next: Some(AtomicUsize::new(0)) }
    }

    pub(crate) fn all(&self) -> &[Client] {
        &self.clients
    }

    fn choose(&self, random: &mut Random) -> &Client {
        let number = match &self.next {
            Some(next) => next.fetch_add(1, Ordering::Relaxed) % self.clients.len(),
            None => random.below(self.clients.len() as u64) as usize,
        };
        &self.clients[number]
    }

    /// Sends a request to any host. `None` if there was no answer.
    pub(crate) async fn send(
        &self,
        random: &mut Random,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Option<Response<Incoming>> {
        let host = self.choose(random);
        tokio::time::timeout(TIMEOUT, host.try_send(method, path, headers, body)).await.ok()?
    }

    /// Sends a request to any host, and returns the status of the answer.
    pub(crate) async fn status(
        &self,
        random: &mut Random,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Option<StatusCode> {
        Some(self.send(random, method, path, headers, body).await?.status())
    }
}
