//! What a reader must have received.

use agent_webkit::{
    client::{EventStream, HttpService, Item, Session},
    proto::client::{Numbered, ServerEvent},
};
use serde_json::Value;

/// An event as it was sent: its number, name and data.
pub(crate) type Sent = (u64, String, Value);

/// The text of the last message.
pub(crate) const LAST: &str = "This is the last message.";

/// What a reader has received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) events: Vec<Numbered<ServerEvent>>,
    pub(crate) reconnections: usize,
    /// States that followed the event that they include.
    pub(crate) states: usize,
}

impl Received {
    /// Reads to the end of the turn of the message [`LAST`].
    pub(crate) async fn all(mut stream: EventStream<impl HttpService>) -> Self {
        let (mut received, mut is_last) = (Self::default(), false);
        loop {
            match stream.next().await.expect("the session is there").expect("nothing is missing") {
                Item::Event(event) => {
                    is_last |= matches!(&event.event, ServerEvent::UserMessage(said) if said.content == LAST);
                    let is_end = matches!(event.event, ServerEvent::Result(_));
                    received.events.push(event);
                    if is_last && is_end {
                        return received;
                    }
                }
                Item::State(state) => {
                    let last = received.events.last().map_or(0, |event| event.seq);
                    assert_eq!(state.as_of_seq, last, "the state is the one after the last event");
                    received.states += 1;
                }
                Item::Reconnecting { .. } => received.reconnections += 1,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Checks that each event came once, in order, and typed.
    pub(crate) fn check(&self, sent: &[Sent]) {
        let numbers: Vec<_> = self.events.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=sent.len() as u64).collect::<Vec<_>>());
        for (event, (_, name, data)) in self.events.iter().zip(sent) {
            assert_eq!((event.event.name(), &event.event.data()), (name.as_str(), data));
            assert!(!matches!(event.event, ServerEvent::Other { .. }), "{name} has no type");
        }
    }
}

/// Allows what is asked for, until a turn has ended.
pub(crate) async fn end_turn(
    session: &Session<impl HttpService>,
    events: &mut EventStream<impl HttpService>,
) {
    loop {
        let Some(Item::Event(event)) = events.next().await.map(|item| item.expect("nothing is missing"))
        else {
            continue;
        };
        match event.event {
            ServerEvent::PermissionRequest(asked) => session.allow(&asked.correlation_id).await.unwrap(),
            ServerEvent::Result(_) => return,
            _ => {}
        }
    }
}
