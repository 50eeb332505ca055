//! The HTTP client of webhooks and notifications.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, ServiceExt, util::BoxCloneSyncService};

/// A client for HTTP and HTTPS that follows no redirect. Without certificates of the system for HTTP alone.
pub(super) fn open() -> BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError> {
    let builder = Client::builder(TokioExecutor::new());
    match HttpsConnectorBuilder::new().with_native_roots() {
        Ok(https) => {
            let https = https.https_or_http().enable_http1().build();
            BoxCloneSyncService::new(builder.build::<_, Full<Bytes>>(https).map_err(Into::into))
        }
        Err(error) => {
            tracing::warn!(%error, "no certificate of this system can be used; no https URL is reached");
            let http = builder.build::<_, Full<Bytes>>(HttpConnector::new());
            BoxCloneSyncService::new(http.map_err(Into::into))
        }
    }
}
