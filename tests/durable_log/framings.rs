//! Streams of other framings than the log's own: lines of JSON, and ids of the upstream.

use agent_webkit::{
    layers::resume::{EventLog, EventStream, Framing, Ndjson, Sse},
    storage::events::DurableConfig,
};
use http::{Method, StatusCode};

use crate::{
    gateways::{Gateway, Upstream},
    place::{Place, on_both},
    reader::eventually,
};

on_both! {
    lines_are_resumed_by_another_gateway_and_after_reopening,
    the_upstreams_ids_are_resumed_by_another_gateway_and_after_reopening,
    a_dead_gateways_lines_end_with_a_line,
}

/// What the upstream sends, how clients get it, and the id with which they come back after it.
struct Part {
    sent: &'static str,
    got: &'static str,
    id: &'static str,
}

const fn part(sent: &'static str, got: &'static str, id: &'static str) -> Part {
    Part { sent, got, id }
}

async fn is_resumed_anywhere<F: Framing>(
    place: Place,
    framing: F,
    media_type: &'static str,
    parts: &[Part],
    unknown: (&str, u16),
) {
    let upstream = Upstream::of(media_type);
    let [one, two] = [0, 1].map(|_| Gateway::with(&place, &upstream, framing.clone()));
    let mut first = one.start().await;
    let answer = upstream.answer();
    let (last, early) = parts.split_last().unwrap();
    for part in early {
        answer.send(part.sent).unwrap();
        first.reads(part.got).await;
    }
    drop(first);

    let rest_after = |at: usize| parts[at + 1..].iter().map(|part| part.got).collect::<String>();
    let mut readers = Vec::new();
    for (at, part) in early.iter().enumerate() {
        let mut again = two.resume(Method::POST, part.id).await;
        assert_eq!(again.headers()["content-type"], framing.media_type());
        again.body_mut().reads(rest_after(at).strip_suffix(last.got).unwrap()).await;
        readers.push(again.into_body());
    }
    let (id, status) = unknown;
    for method in [Method::GET, Method::POST, Method::HEAD] {
        assert_eq!(two.resume(method, id).await.status(), status);
    }
    assert_eq!(two.resume(Method::HEAD, early[0].id).await.status(), StatusCode::OK);
    // It grows, and ends.
    answer.send(last.sent).unwrap();
    for reader in &mut readers {
        reader.reads(last.got).await;
    }
    drop(answer);
    for reader in readers {
        reader.ends().await;
    }
    let closed = async || two.log.find("answer").await.unwrap().unwrap().bounds().closed;
    eventually("the end", closed).await;
    for gateway in [one, two] {
        gateway.log.shutdown().await;
    }

    let reopened = Gateway::with(&place, &upstream, framing);
    for (at, part) in parts.iter().enumerate() {
        let mut again = reopened.resume(Method::GET, part.id).await.into_body();
        again.reads(&rest_after(at)).await;
        again.ends().await;
    }
    assert_eq!(reopened.resume(Method::GET, id).await.status(), status);
    let mut whole = reopened.resume(Method::GET, "").await.into_body();
    whole.reads(&(parts[0].got.to_owned() + &rest_after(0))).await;
    whole.ends().await;
    assert_eq!(upstream.calls(), 1);
}

async fn lines_are_resumed_by_another_gateway_and_after_reopening(place: Place) {
    let parts = [
        part("{\"n\":1}\n", "{\"n\":1}\n", "1"),
        part("\n{\"text\":\"\u{fc}\\n\"}\r\n", "{\"text\":\"\u{fc}\\n\"}\n", "2"),
        part("[3]\n", "[3]\n", "3"),
    ];
    is_resumed_anywhere(place, Ndjson, "application/x-ndjson", &parts, ("4", 412)).await;
}

async fn the_upstreams_ids_are_resumed_by_another_gateway_and_after_reopening(place: Place) {
    let parts = [
        part("id: x/\u{fc} 1\ndata: a\n\n", "id: x/\u{fc} 1\ndata: a\n\n", "x/\u{fc} 1"),
        part(": hi\ndata: b\ndata: c\n\n", ": hi\nid: ~2\ndata: b\ndata: c\n\n", "~2"),
        part("event: named\nid: 1\ndata: d\n\n", "id: 1\nevent: named\ndata: d\n\n", "1"),
        part("id: 0\ndata: e\n\n", "id: 0\ndata: e\n\n", "0"),
    ];
    let framing = Sse::new().upstream_ids().comments();
    is_resumed_anywhere(place, framing, "text/event-stream", &parts, ("2", 412)).await;
}

async fn a_dead_gateways_lines_end_with_a_line(place: Place) {
    let upstream = Upstream::of("application/x-ndjson");
    let two = Gateway::with(&place, &upstream, Ndjson);
    // What a killed process leaves.
    let left = place.log(DurableConfig::default()).open("answer").await.unwrap();
    left.append(agent_webkit::layers::resume::Event::new("", "1").into()).await.unwrap();
    let mut again = two.resume(Method::POST, "").await.into_body();
    again.reads("1\n").await;
    let lost = "{\"error\":{\"code\":\"recording_lost\",\"message\":\"The recording was lost: the process that made it ended before the upstream's stream did.\"}}\n";
    again.reads(lost).await;
    again.ends().await;
}
