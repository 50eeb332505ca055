//! The end of one session and of all sessions.

use tokio::net::TcpStream;

use crate::{
    host::Host,
    support::{Events, eventually},
};

fn ends_with_done(events: &Events) -> bool {
    events.seen.last().is_some_and(|frame| frame.event == "done")
}

pub(crate) async fn the_end_of_a_session_ends_its_streams(mut host: Host) {
    let (session, mut agent) = host.session().await;
    agent.asks("toolu_1").await;
    let (client, id) = (session.client.clone(), session.id.clone());
    let mut other = client.events(&id).await;
    let stream = session.close().await;
    let [.., resolved, _done] = &stream.seen[..] else { panic!("{:?}", stream.seen) };
    assert_eq!(resolved.event, "prompt_resolved");
    assert_eq!(resolved.str("outcome"), "session_closed");
    other.rest().await;
    assert!(ends_with_done(&other));

    agent.is_let_go().await;
    assert_eq!(client.delete(&id).await.status, 204, "as often as one likes");
    assert_eq!(client.stream(&id, None).await.status(), 404);
}

pub(crate) async fn shutdown_ends_open_streams_and_then_the_host(mut host: Host) {
    let (first, mut an_agent) = host.session().await;
    let (second, mut another) = host.session().await;
    let mut streams = vec![first.client.events(&first.id).await, first.events, second.events];
    for events in &mut streams {
        events.next().await;
    }
    let host_ended = host.end();
    for events in &mut streams {
        events.rest().await;
        assert!(ends_with_done(events));
    }
    an_agent.is_let_go().await;
    another.is_let_go().await;
    drop((an_agent, another));
    host_ended.await;
    let address = host.url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    eventually("nobody listens", async || TcpStream::connect(&address).await.is_err()).await;
}
