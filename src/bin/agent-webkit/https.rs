//! The HTTP clients of the commands.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::Failure;

/// A client for `http` URLs that keeps this many connections open for further requests.
pub(crate) fn plain(idle: usize) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(idle).build_http()
}

/// As [`plain`], for `https` URLs. It trusts the certificates of this system.
pub(crate) fn encrypted(idle: usize) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, Failure> {
    let https = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| Failure::Io(format!("no certificate of this system can be used: {error}")))?
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(idle).build(https))
}
