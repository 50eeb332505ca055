//! The hosts as their clients see them: any of them may be away at any time.

use std::time::Duration;

use http::{Method, Response, StatusCode};
use hyper::body::Incoming;

use crate::support::{Client, Random};

/// A client gives up a request after this time, and asks again, perhaps another host.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The clients of all hosts.
#[derive(Debug)]
pub(crate) struct Hosts(Vec<Client>);

impl Hosts {
    pub(crate) fn new(clients: Vec<Client>) -> Self {
        Self(clients)
    }

    pub(crate) fn all(&self) -> &[Client] {
        &self.0
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
        let host = &self.0[random.below(self.0.len() as u64) as usize];
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
