//! Streams that keep their promise, and streams that break it in one way.

use std::convert::Infallible;

use agent_webkit::check::{Target, stream};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::service_fn;

/// How a stream answers a request with this `Last-Event-ID`: the events after it, or a refusal.
type Answer = fn(Option<&str>) -> Result<Vec<(String, String)>, StatusCode>;

fn events() -> Vec<(String, String)> {
    (1..=40).map(|n| (n.to_string(), format!("number {n}"))).collect()
}

fn right(last: Option<&str>) -> Result<Vec<(String, String)>, StatusCode> {
    let Some(last) = last.filter(|last| !last.is_empty()) else { return Ok(events()) };
    if !last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(StatusCode::BAD_REQUEST);
    }
    match last.parse::<usize>() {
        Ok(last) if last <= 40 => Ok(events().split_off(last)),
        _ => Err(StatusCode::PRECONDITION_FAILED),
    }
}

/// What the checks find in a stream that ends after its events.
async fn found(answer: Answer) -> Vec<&'static str> {
    let http = service_fn(move |request: Request<Full<Bytes>>| async move {
        let last = request.headers().get("last-event-id").map(|id| id.to_str().unwrap());
        let (status, body) = match answer(last) {
            Ok(events) => {
                let frame =
                    |(id, data): (String, String)| format!("id: {id}\nevent: count\ndata: {data}\n\n");
                (StatusCode::OK, events.into_iter().map(frame).collect())
            }
            Err(status) => (status, String::new()),
        };
        let response = Response::builder().status(status).header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
    });
    let report = stream(http, &Target::new("http://127.0.0.1/feed".parse().unwrap())).await;
    report.failed().map(|check| check.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_resumes_passes() {
    assert_eq!(found(right).await, [""; 0]);
    // Anew is right too: the client sees all of it again, and knows by the ids.
    let anew = |last: Option<&str>| Ok(right(last).unwrap_or_else(|_| events()));
    assert_eq!(found(anew).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_broken_promise_is_found_by_its_check() {
    let every = ["stream.seam", "stream.cut", "stream.slow", "stream.readers"];
    assert_eq!(found(|_| Err(StatusCode::NOT_FOUND)).await, ["stream.opens"]);
    assert_eq!(
        found(|_| Ok(events().into_iter().map(|(_, data)| (String::new(), data)).collect())).await,
        ["stream.ids"]
    );

    let again: Answer = |last| match right(last)? {
        rest if last.is_some() && !rest.is_empty() => Ok(events().split_off(40 - rest.len() - 1)),
        rest => Ok(rest),
    };
    assert_eq!(found(again).await, every);
    let skips: Answer = |last| match right(last)? {
        mut rest if last.is_some() && rest.len() > 1 => Ok(rest.split_off(1)),
        rest => Ok(rest),
    };
    assert_eq!(found(skips).await, every);
    let ignores: Answer = |_| Ok(events());
    let mut all = every.to_vec();
    all.push("stream.end");
    assert_eq!(found(ignores).await, all);
    let stops: Answer =
        |last| Ok(right(last)?.into_iter().take(if last.is_some() { 5 } else { 40 }).collect());
    assert_eq!(found(stops).await, every);
    let other: Answer = |last| {
        let renamed = |(id, data): (String, String)| (id, data.replace("number", "No."));
        Ok(right(last)?
            .into_iter()
            .map(|event| if last.is_some() { renamed(event) } else { event })
            .collect())
    };
    assert_eq!(found(other).await, every);
    let unsorted: Answer = |last| {
        let mut rest = right(last)?;
        if last.is_some() && rest.len() > 4 {
            rest.swap(2, 3);
        }
        Ok(rest)
    };
    assert_eq!(found(unsorted).await, every);
    let goes_on: Answer = |last| Ok(right(last).unwrap_or_default());
    assert_eq!(found(goes_on).await, ["stream.ahead", "stream.malformed_id"]);
}
