//! One request for a recorded stream: it reads the stream, waits for another request's call, or makes the call.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use tower_service::Service;

use crate::{
    reply::Refusal,
    resume::{
        Bounds, Cursor, EventLog, EventStream, ResponseBody, Tail,
        cursor::LAST_EVENT_ID,
        respond::{EVENT_STREAM, refusal_response, retry_response, stream_response, unavailable_response},
    },
};

use super::{
    RecordConfig,
    recorder::{self, BoxError, lost_event},
    registry::{Claim, Lead, Registry},
};

type TailOf<L> = <<L as EventLog>::Stream as EventStream>::Tail;

pub(super) struct Reader<L: EventLog> {
    pub(super) registry: Arc<Registry<L>>,
    pub(super) config: RecordConfig,
    pub(super) key: String,
    pub(super) cursor: Cursor,
    pub(super) missing: Missing,
}

/// What to do if there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Call,
    NotFound,
}

impl<L: EventLog> Reader<L> {
    /// Answers from the recording. If there is none, calls `inner`, which must be ready, to start one.
    pub(super) async fn respond<S, ReqBody, B>(
        self,
        inner: S,
        request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<B, TailOf<L>>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        loop {
            match self.registry.claim(&self.key, self.config.max_streams) {
                Claim::Read(stream) => return Ok(self.read(&stream).await),
                Claim::Wait(mut led) => while led.changed().await.is_ok() {},
                Claim::Lead(lead) => return self.lead(lead, inner, request).await,
                Claim::Full => return Ok(retry_response("there are too many streams; try again later")),
                Claim::Refused => return Ok(shutting_down()),
            }
        }
    }

    async fn lead<S, ReqBody, B>(
        self,
        lead: Lead<L>,
        mut inner: S,
        mut request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<B, TailOf<L>>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let held = match self.registry.log.find(&self.key).await {
            Ok(held) => held,
            Err(error) => return Ok(unavailable_response(&error)),
        };
        let bounds = held.as_ref().map_or(Bounds::EMPTY, EventStream::bounds);
        if held.is_none() && self.missing == Missing::NotFound {
            return Ok(not_found());
        }
        if let Err(error) = bounds.admit(self.cursor) {
            return Ok(refusal_response(&error));
        }
        if let Some(finished) = held.as_ref().filter(|_| bounds.closed) {
            return Ok(self.read(finished).await);
        }
        if held.is_some() && (self.missing == Missing::NotFound || !request.method().is_safe()) {
            return Ok(self.lost().await);
        }

        request.headers_mut().remove(LAST_EVENT_ID);
        request.headers_mut().remove(ACCEPT_ENCODING);
        let response = inner.call(request).await?;
        if response.status() != StatusCode::OK || !is_event_stream(response.headers()) {
            return Ok(response.map(ResponseBody::inner));
        }

        let stream = match self.registry.log.open(&self.key).await {
            Ok(stream) => stream,
            Err(error) => return Ok(unavailable_response(&error)),
        };
        // Attached before the recording starts, so that the window cannot move past the first reader.
        let answer = self.read(&stream).await;
        let Some(recording) = lead.record(stream) else {
            return Ok(shutting_down());
        };
        tokio::spawn(recorder::run(recording, response.into_body(), self.config));
        Ok(answer)
    }

    async fn read<B>(&self, stream: &L::Stream) -> Response<ResponseBody<B, TailOf<L>>> {
        match stream.tail(self.cursor).await {
            Ok(tail) => stream_response(tail, self.config.keepalive, None).map(Into::into),
            Err(error) => refusal_response(&error),
        }
    }

    /// Ends a stream that a dead process left open, and reads it. What the process' call has done is not known, so it is
    /// not made again.
    async fn lost<B>(&self) -> Response<ResponseBody<B, TailOf<L>>> {
        let stream = match self.registry.log.open(&self.key).await {
            Ok(stream) => stream,
            Err(error) => return unavailable_response(&error),
        };
        let answer = self.read(&stream).await;
        if let Err(error) = stream.append(lost_event().into()).await {
            return unavailable_response(&error);
        }
        stream.close();
        answer
    }
}

pub(super) fn not_found<B: From<Bytes>>() -> Response<B> {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such stream").into_response(false)
}

fn shutting_down<B, T: Tail>() -> Response<ResponseBody<B, T>> {
    retry_response("the server is shutting down; try again")
}

/// Whether the response is an event stream without a content encoding.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let essence = |value: &[u8]| {
        let end = value.iter().position(|&b| b == b';').unwrap_or(value.len());
        value[..end].trim_ascii().eq_ignore_ascii_case(EVENT_STREAM.as_bytes())
    };
    let plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    plain && headers.get(CONTENT_TYPE).is_some_and(|value| essence(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(headers: &[(http::HeaderName, &str)]) -> bool {
        is_event_stream(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
    }

    #[test]
    fn an_event_stream_is_known_by_its_type_and_must_be_plain() {
        assert!(recognised(&[(CONTENT_TYPE, "text/event-stream")]));
        assert!(recognised(&[
            (CONTENT_TYPE, "Text/Event-Stream ; charset=utf-8"),
            (CONTENT_ENCODING, "identity")
        ]));
        assert!(!recognised(&[(CONTENT_TYPE, "text/event-stream"), (CONTENT_ENCODING, "gzip")]));
        assert!(!recognised(&[(CONTENT_TYPE, "text/event-streams")]));
        assert!(!recognised(&[(CONTENT_TYPE, "application/json")]));
        assert!(!recognised(&[]));
    }
}
