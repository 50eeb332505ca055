//! One request for a recorded stream: it reads the stream, waits for another request's call, or makes the call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use tower_service::Service;

use crate::{
    reply::{Refusal, Refuse},
    resume::{
        AppendError, Bounds, Cursor, EventLog, EventStream, Follow, Framing, Reframed, ResponseBody,
        cursor::LAST_EVENT_ID,
        respond::{head_response, not_read, stream_head, try_again, unavailable},
    },
};

use super::{
    RecordConfig, elsewhere,
    position::{Position, UnknownId},
    recorder::{self, BoxError, lost_event},
    registry::{self, Claim, Lead, Registry},
    reserve::{Held, Reservation, find_or_create},
};

pub(super) type TailOf<L, F> = Reframed<<<L as EventLog>::Stream as EventStream>::Tail, F>;

pub(super) struct Reader<L: EventLog, F> {
    pub(super) registry: Arc<Registry<L>>,
    pub(super) config: RecordConfig,
    pub(super) framing: F,
    pub(super) key: String,
    pub(super) position: Position,
    pub(super) start: Start,
    pub(super) refuse: Refuse,
}

/// Whether a request may start a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    IfMissing,
    Never,
    /// In place of the one that there is.
    Anew,
}

impl<L: EventLog, F: Framing> Reader<L, F> {
    /// Answers from the recording. If there is none, calls `inner`, which must be ready, to start one.
    pub(super) async fn respond<S, ReqBody, B>(
        self,
        inner: S,
        request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<B, TailOf<L, F>>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if self.start == Start::Anew
            && let Err(error) = registry::forget(&self.registry, &self.key).await
        {
            return Ok(self.refuse.answer(unavailable(&error)));
        }
        loop {
            match self.registry.claim(&self.key, self.config.max_streams) {
                Claim::Read(stream) => return Ok(self.read(&stream).await),
                Claim::Wait(mut led) => while led.changed().await.is_ok() {},
                Claim::Lead(lead) => return self.lead(lead, inner, request).await,
                Claim::Full => {
                    return Ok(self.refuse.answer(try_again("there are too many streams; try again later")));
                }
                Claim::Refused => return Ok(self.refuse.answer(shutting_down())),
            }
        }
    }

    async fn lead<S, ReqBody, B>(
        self,
        lead: Lead<L>,
        mut inner: S,
        mut request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<B, TailOf<L, F>>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>>,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let may_start = match self.position {
            _ if self.start == Start::Never => Err(not_found()),
            Position::At(cursor) => Bounds::EMPTY.admit(cursor).map_err(|error| not_read(&error)),
            Position::AfterId(_) => Err(unknown_id(&UnknownId)),
        };
        let held = match self.held(may_start.is_ok()).await {
            Ok(held) => held,
            Err(error) => return Ok(self.refuse.answer(unavailable(&*error))),
        };
        let reservation = match held {
            Held::Ours(reservation) => Some(reservation),
            Held::Nothing => match may_start {
                Ok(_) => None,
                Err(refusal) => return Ok(self.refuse.answer(refusal)),
            },
            Held::Stream(stream) => match self.read_held(&stream, request.method()).await {
                Some(answer) => return Ok(answer),
                None => None,
            },
        };

        request.headers_mut().remove(LAST_EVENT_ID);
        request.headers_mut().remove(ACCEPT_ENCODING);
        let call = inner.call(request);
        let answer = match reservation.as_ref().zip(self.config.shared) {
            Some((reservation, lease)) => reservation.wait(lease, call).await,
            None => call.await,
        };
        let is_recorded = |response: &Response<B>| {
            response.status() == StatusCode::OK && is_stream(response.headers(), &self.framing)
        };
        let response = match answer {
            Ok(response) if is_recorded(&response) => response,
            other => {
                if let Some(reservation) = reservation {
                    reservation.give_up().await;
                }
                return other.map(|response| response.map(ResponseBody::inner));
            }
        };
        let stream = match self.opened(reservation).await {
            Ok(stream) => stream,
            Err(answer) => return Ok(answer),
        };
        // Attached before the recording starts, so that the window cannot move past the first reader.
        let answer = self.read(&stream).await;
        let Some(recording) = lead.record(stream) else {
            return Ok(self.refuse.answer(shutting_down()));
        };
        tokio::spawn(recorder::run(recording, response.into_body(), self.config, self.framing));
        Ok(answer)
    }

    async fn held(&self, may_create: bool) -> Result<Held<L>, BoxError> {
        let (log, key) = (&self.registry.log, &self.key);
        match self.config.shared {
            Some(lease) => find_or_create(log, key, lease, may_create).await,
            None => Ok(log.find(key).await?.map_or(Held::Nothing, Held::Stream)),
        }
    }

    /// Answers from a stream that the log holds, unless a call has to continue it.
    async fn read_held<B>(
        &self,
        stream: &L::Stream,
        method: &Method,
    ) -> Option<Response<ResponseBody<B, TailOf<L, F>>>> {
        let bounds = stream.bounds();
        let cursor = self.cursor_in(stream).await;
        let admitted = cursor.and_then(|cursor| bounds.admit(cursor).map_err(|error| not_read(&error)));
        if let Err(refusal) = admitted {
            return Some(self.refuse.answer(refusal));
        }
        if bounds.closed {
            return Some(self.read(stream).await);
        }
        if let Some(lease) = self.config.shared {
            return Some(self.follow(lease).await);
        }
        let is_lost = self.start == Start::Never || !method.is_safe();
        if is_lost { Some(self.lost().await) } else { None }
    }

    /// The stream to record into, or the answer if there is none.
    async fn opened<B>(
        &self,
        reservation: Option<Reservation<L>>,
    ) -> Result<L::Stream, Response<ResponseBody<B, TailOf<L, F>>>> {
        let Some((reservation, lease)) = reservation.zip(self.config.shared) else {
            let opened = self.registry.log.open(&self.key).await;
            return opened.map_err(|error| self.refuse.answer(unavailable(&error)));
        };
        match reservation.start().await {
            Ok(stream) => Ok(stream),
            // Stopped elsewhere while the upstream was silent: the stream has its last event.
            Err(AppendError::Fenced | AppendError::Closed) => Err(self.follow(lease).await),
            Err(AppendError::Unavailable(error)) => Err(self.refuse.answer(unavailable(&*error))),
        }
    }

    async fn read<B>(&self, stream: &L::Stream) -> Response<ResponseBody<B, TailOf<L, F>>> {
        let cursor = match self.cursor_in(stream).await {
            Ok(cursor) => cursor,
            Err(refusal) => return self.refuse.answer(refusal),
        };
        match stream.tail(cursor).await {
            Ok(tail) => {
                let tail = Reframed::new(tail, self.framing.clone());
                let body = Follow::new(tail, self.config.keepalive).with_keepalive(self.framing.keepalive());
                self.typed(stream_head(body.into()))
            }
            Err(error) => self.refuse.answer(not_read(&error)),
        }
    }

    /// Answers a HEAD request, which starts no stream.
    pub(super) async fn respond_head<S, ReqBody, B>(
        self,
        mut inner: S,
        request: Request<ReqBody>,
    ) -> Result<Response<ResponseBody<B, TailOf<L, F>>>, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<B>>,
    {
        let held = match self.registry.recorded(&self.key) {
            Some(stream) => Ok(Some(stream)),
            None => self.registry.log.find(&self.key).await,
        };
        match held {
            Ok(Some(stream)) => Ok(self.head(&stream).await),
            Ok(None) if self.start == Start::Never => Ok(self.refuse.answer(not_found())),
            Ok(None) => Ok(inner.call(request).await?.map(ResponseBody::inner)),
            Err(error) => Ok(self.refuse.answer(unavailable(&error))),
        }
    }

    async fn head<B>(&self, stream: &L::Stream) -> Response<ResponseBody<B, TailOf<L, F>>> {
        let cursor = self.cursor_in(stream).await;
        match cursor.and_then(|cursor| head_response(&stream.bounds(), cursor)) {
            Ok(answer) => self.typed(answer),
            Err(refusal) => self.refuse.answer(refusal),
        }
    }

    /// Where this request starts in the stream, if the stream has that place.
    async fn cursor_in(&self, stream: &L::Stream) -> Result<Cursor, Refusal> {
        match self.position.cursor_in(stream, &self.framing).await {
            Ok(Ok(cursor)) => Ok(cursor),
            Ok(Err(unknown)) => Err(unknown_id(&unknown)),
            Err(error) => Err(not_read(&error)),
        }
    }

    fn typed<B>(&self, mut response: Response<B>) -> Response<B> {
        let media_type = HeaderValue::from_static(self.framing.media_type());
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }

    /// Reads a stream that another process records.
    async fn follow<B>(&self, lease: Duration) -> Response<ResponseBody<B, TailOf<L, F>>> {
        match self.registry.log.follow(&self.key).await {
            Ok(Some(stream)) => {
                let answer = self.read(&stream).await;
                let lost = lost_event(&self.framing);
                elsewhere::watch(&self.registry, &self.key, lease, lost, self.config.retain);
                answer
            }
            Ok(None) => self.refuse.answer(try_again("the stream has just been forgotten; try again")),
            Err(error) => self.refuse.answer(unavailable(&error)),
        }
    }

    /// Ends a stream that a dead process left open, and reads it. What the process' call has done is not known, so it is
    /// not made again.
    async fn lost<B>(&self) -> Response<ResponseBody<B, TailOf<L, F>>> {
        let stream = match self.registry.log.open(&self.key).await {
            Ok(stream) => stream,
            Err(error) => return self.refuse.answer(unavailable(&error)),
        };
        let answer = self.read(&stream).await;
        if let Err(error) = stream.append(lost_event(&self.framing).into()).await {
            return self.refuse.answer(unavailable(&error));
        }
        stream.close();
        answer
    }
}

pub(super) fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such stream")
}

fn unknown_id(UnknownId: &UnknownId) -> Refusal {
    let detail = "the stream cannot be resumed: it holds no event with this id";
    Refusal::new(StatusCode::PRECONDITION_FAILED, detail)
}

fn shutting_down() -> Refusal {
    try_again("the server is shutting down; try again")
}

/// Whether the response is a stream of this framing without a content encoding.
fn is_stream(headers: &HeaderMap, framing: &impl Framing) -> bool {
    let essence = |value: &[u8]| {
        let end = value.iter().position(|&b| b == b';').unwrap_or(value.len());
        framing.accepts(&String::from_utf8_lossy(value[..end].trim_ascii()).to_ascii_lowercase())
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
    use crate::resume::Sse;

    fn recognised(headers: &[(http::HeaderName, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        is_stream(&headers, &Sse::new())
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
