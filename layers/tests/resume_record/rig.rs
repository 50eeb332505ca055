//! A recording layer over an upstream whose answers the test gives.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use agent_webkit_layers::resume::{
    Framing, Identify, Record, RecordLayer, Recordings, RingConfig, RingLog, Sse,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};

pub(crate) type Sent = Result<&'static str, io::Error>;

/// A body with the data that the test sends.
pub(crate) struct Fed(pub(crate) UnboundedReceiver<Sent>);

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|sent| sent.map(|sent| sent.map(|text| Frame::data(Bytes::from(text)))))
    }
}

/// A call to the upstream.
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) answer: UnboundedSender<Response<Fed>>,
}

impl Call {
    pub(crate) fn answer(self, content_type: &str) -> UnboundedSender<Sent> {
        let (feed, body) = unbounded_channel();
        let response = Response::builder().header("content-type", content_type).header("x-up", "1");
        self.answer.send(response.body(Fed(body)).unwrap()).ok().unwrap();
        feed
    }

    pub(crate) fn stream(self) -> UnboundedSender<Sent> {
        self.answer("text/event-stream")
    }
}

pub(crate) type Key = fn(&Parts) -> Option<String>;
type Inner = BoxCloneService<Request<()>, Response<Fed>, io::Error>;

pub(crate) struct Rig<I: Identify = Key, F: Framing = Sse> {
    pub(crate) service: Record<Inner, RingLog, I, F>,
    pub(crate) calls: UnboundedReceiver<Call>,
    pub(crate) recordings: Recordings<RingLog>,
    pub(crate) log: RingLog,
}

pub(crate) fn rig_with(config: impl FnOnce(RecordLayer<RingLog, Key>) -> RecordLayer<RingLog, Key>) -> Rig {
    rig_of(by_path as Key, config)
}

/// A layer that tells streams apart in this way.
pub(crate) fn rig_of<I: Identify, F: Framing>(
    identify: I,
    config: impl FnOnce(RecordLayer<RingLog, I>) -> RecordLayer<RingLog, I, F>,
) -> Rig<I, F> {
    let log = RingLog::new(RingConfig::default());
    let layer = config(RecordLayer::new(log.clone(), identify));
    let (called, calls) = unbounded_channel();
    let upstream = service_fn(move |request: Request<()>| {
        let (answer, mut answered) = unbounded_channel();
        called.send(Call { headers: request.headers().clone(), answer }).ok().unwrap();
        async move { answered.recv().await.ok_or_else(|| io::Error::other("the upstream is down")) }
    });
    let recordings = layer.recordings();
    Rig { service: layer.layer(BoxCloneService::new(upstream)), calls, recordings, log }
}

/// A stream for each path below `/s/`, with this framing.
pub(crate) fn framed<F: Framing>(framing: F) -> Rig<Key, F> {
    rig_of(by_path as Key, |layer| layer.framing(framing))
}

fn by_path(request: &Parts) -> Option<String> {
    Some(request.uri.path().strip_prefix("/s/")?.to_owned())
}

pub(crate) fn rig() -> Rig {
    rig_with(|layer| layer)
}

pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>,
}

impl Got {
    pub(crate) async fn text(self) -> String {
        String::from_utf8(self.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    /// Reads up to and including `end`.
    pub(crate) async fn text_up_to(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            text.push_str(std::str::from_utf8(&self.next().await.expect("more comes")).unwrap());
        }
        text
    }

    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.body.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
    }
}

impl<I: Identify, F: Framing> Rig<I, F> {
    /// Sends a request and returns after its first poll.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        id: Option<&str>,
    ) -> tokio::task::JoinHandle<io::Result<Got>> {
        let mut request = Request::builder().method(method).uri(path).header("accept-encoding", "gzip");
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        self.start(request.body(()).unwrap()).await
    }

    pub(crate) async fn start(&self, request: Request<()>) -> tokio::task::JoinHandle<io::Result<Got>> {
        let mut service = self.service.clone();
        let sent = tokio::spawn(async move {
            let response = service.ready().await?.call(request).await?;
            let (parts, body) = response.into_parts();
            Ok(Got { status: parts.status, headers: parts.headers, body: Box::pin(body) })
        });
        tokio::task::yield_now().await;
        sent
    }

    pub(crate) async fn get(&self, path: &str, id: Option<&str>) -> Got {
        self.send("GET", path, id).await.await.unwrap().unwrap()
    }

    /// Starts a recording and returns its first reader and its upstream.
    pub(crate) async fn recording(&mut self) -> (Got, UnboundedSender<Sent>) {
        let first = self.send("GET", "/s/a", None).await;
        let feed = self.calls.recv().await.unwrap().stream();
        (first.await.unwrap().unwrap(), feed)
    }

    pub(crate) fn calls_waiting(&self) -> usize {
        self.calls.len()
    }
}
