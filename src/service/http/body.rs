//! Reads request bodies within the limits.

use bytes::{Buf, Bytes};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;
use tower::BoxError;

use super::failure::Failure;
use crate::service::{error::SessionError, limits::Limits};

/// Reads a whole body, within the limits on its length and its time. A body that announces a greater length
/// is not read at all.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B, limits: &Limits) -> Result<Bytes, Failure>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let limit = limits.max_body;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or_else(|| body.size_hint().lower());
    if announced > limit as u64 {
        return Err(SessionError::TooLarge { limit }.into());
    }
    let collected = timeout(limits.body_timeout, Limited::new(body, limit).collect());
    match collected.await.map_err(|_| Failure::too_slow())? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(SessionError::TooLarge { limit }.into()),
        Err(_) => Err(Failure::bad_request("the body is incomplete")),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use http::StatusCode;
    use http_body::Frame;
    use http_body_util::{Empty, Full};

    use super::*;

    /// A body of these chunks, without a known length, and how it ends.
    struct Chunks(VecDeque<&'static str>, End);

    #[derive(Clone, Copy)]
    enum End {
        Clean,
        Broken,
        Never,
    }

    impl Body for Chunks {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            match (self.0.pop_front(), self.1) {
                (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(chunk.into())))),
                (None, End::Clean) => Poll::Ready(None),
                (None, End::Broken) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
                (None, End::Never) => Poll::Pending,
            }
        }
    }

    fn four() -> Limits {
        Limits::default().max_body(4)
    }

    async fn refused(headers: &HeaderMap, body: Chunks) -> StatusCode {
        let failure = read(headers, body, &four()).await.unwrap_err();
        failure.into_response::<Bytes>(false).status()
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read() {
        let headers = HeaderMap::new();
        assert_eq!(read(&headers, Chunks(["ab", "cd"].into(), End::Clean), &four()).await.unwrap(), "abcd");
        assert_eq!(read(&headers, Full::<Bytes>::from("abcd"), &four()).await.unwrap(), "abcd");
        assert_eq!(read(&headers, Empty::<Bytes>::new(), &Limits::default().max_body(0)).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_longer_one_is_refused_while_it_is_read() {
        let endless = Chunks(["ab", "cd", "e"].into(), End::Never);
        assert_eq!(refused(&HeaderMap::new(), endless).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn one_that_announces_more_is_not_read() {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "5".parse().unwrap())]);
        assert_eq!(refused(&headers, Chunks([].into(), End::Never)).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_come_is_not_waited_for() {
        let stalled = Chunks(["ab"].into(), End::Never);
        assert_eq!(refused(&HeaderMap::new(), stalled).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn one_that_breaks_off_is_a_bad_request() {
        let broken = Chunks(["{"].into(), End::Broken);
        assert_eq!(refused(&HeaderMap::new(), broken).await, StatusCode::BAD_REQUEST);
    }
}
