//! One connection of an event stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Response, StatusCode, header};
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep};

use super::reader::{Read, Reader};
use crate::client::{Error, http::ResponseBody};

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    body: ResponseBody,
    reader: Reader,
    silence: Duration,
    timer: Pin<Box<Sleep>>,
}

/// What a connection yields.
pub(super) enum Step {
    Read(Read),
    /// The connection is over: broken, closed, or silent for too long.
    Lost(Error),
}

impl Connection {
    pub(super) fn new(response: Response<ResponseBody>, silence: Duration) -> Result<Self, Error> {
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if response.status() != StatusCode::OK
            || !kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
        {
            let status = response.status();
            return Err(Error::Protocol(format!(
                "the answer is no event stream: {status}, {}",
                kind.unwrap_or("no type")
            )));
        }
        let (body, timer) = (response.into_body(), Box::pin(sleep(silence)));
        Ok(Self { body, reader: Reader::new(), silence, timer })
    }

    /// Polls for the next step after event `last`, and moves `last` on.
    pub(super) fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        last: &mut Option<u64>,
    ) -> Poll<Result<Step, Error>> {
        loop {
            if let Some(read) = self.reader.next(last) {
                return Poll::Ready(read.map(Step::Read));
            }
            let lost = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.reader.push(&frame.into_data().unwrap_or_default());
                    self.timer.as_mut().reset(Instant::now() + self.silence);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => error,
                Poll::Ready(None) => "the server closed the stream".into(),
                Poll::Pending if self.timer.as_mut().poll(cx).is_ready() => {
                    format!("the stream was silent for {:?}", self.silence).into()
                }
                Poll::Pending => return Poll::Pending,
            };
            return Poll::Ready(Ok(Step::Lost(Error::Transport(lost))));
        }
    }
}
