//! A key set that is fetched over HTTP.

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::TokioExecutor,
};

use super::SettingsError;
use crate::layers::auth::jwt::{Keys, SourceError};

/// Maximum size of a key set, in bytes; usual ones have a few kilobytes.
const LONGEST: usize = 1 << 20;

/// The keys at this URL, which must be `https`, or `http` on loopback.
pub(super) fn keys(url: &str) -> Result<Keys, SettingsError> {
    let uri: Uri = url.parse().map_err(|_| SettingsError::new(format!("{url} is no URL")))?;
    match uri.scheme_str() {
        Some("https") => {
            let https = HttpsConnectorBuilder::new()
                .with_native_roots()
                .map_err(|error| {
                    SettingsError::new(format!("no certificate of this system can be used: {error}"))
                })?
                .https_only()
                .enable_http1()
                .build();
            Ok(asked(Client::builder(TokioExecutor::new()).build(https), uri))
        }
        Some("http") if is_loopback(&uri) => {
            Ok(asked(Client::builder(TokioExecutor::new()).build(HttpConnector::new()), uri))
        }
        _ => Err(SettingsError::new(format!("the key set at {url} could be forged: use an https URL"))),
    }
}

fn is_loopback(uri: &Uri) -> bool {
    matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

fn asked<C>(client: Client<C, Empty<Bytes>>, uri: Uri) -> Keys
where
    C: Connect + Clone + Send + Sync + 'static,
{
    Keys::jwks(move || {
        let request = Request::get(&uri).header(header::ACCEPT, "application/json").body(Empty::new());
        let client = client.clone();
        async move {
            let answer = client.request(request?).await?;
            // Redirects are not followed: only the operator chooses the address.
            if answer.status() != StatusCode::OK {
                return Err(SourceError::from(format!("the answer is {}", answer.status())));
            }
            Ok(Limited::new(answer.into_body(), LONGEST).collect().await?.to_bytes())
        }
    })
}
