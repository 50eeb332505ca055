//! Readers of streams.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Maximum time in which a reader waits for something.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Http(Client<HttpConnector, Empty<Bytes>>);

/// What a reader has got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Got {
    pub(crate) events: usize,
    pub(crate) characters: usize,
}

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }

    /// Reads until the stream ends, or until `enough` events have come; then it hangs up. A refusal is no event.
    pub(crate) async fn read(
        &self,
        url: &str,
        last: usize,
        enough: usize,
    ) -> Result<Got, Box<dyn Error + Send + Sync>> {
        let request = Request::post(url).header("last-event-id", last.to_string()).body(Empty::new())?;
        let mut response = self.0.request(request).await?;
        let (mut got, mut newline) = (Got::default(), false);
        if !response.status().is_success() {
            return Ok(got);
        }
        while got.events < enough {
            let frame = tokio::time::timeout(PATIENCE, response.body_mut().frame()).await?;
            let Some(Ok(frame)) = frame else { break };
            let Some(data) = frame.data_ref() else { continue };
            got.characters += data.len();
            got.events += memchr::memmem::find_iter(data, b"\n\n").count();
            // A separator may lie in two frames.
            got.events += usize::from(newline && data.first() == Some(&b'\n'));
            newline = data.ends_with(b"\n") && !data.ends_with(b"\n\n");
        }
        Ok(got)
    }
}
