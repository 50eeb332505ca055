//! Reading a stream's own events back by name.

use std::{collections::VecDeque, future::poll_fn};

use super::{Cursor, Event, EventParser, EventStream, Tail, TailError};

/// The newest `limit` events of this name, oldest first, read from the stream's frames.
pub(super) async fn newest(
    stream: &impl EventStream,
    name: &str,
    limit: usize,
) -> Result<Vec<Event>, TailError> {
    let mut tail = stream.tail(Cursor::Oldest).await?;
    let last = tail.attached().bounds.last;
    let mut read = tail.attached().after;
    let mut parser = EventParser::new(usize::MAX);
    let (mut events, mut newest) = (Vec::new(), VecDeque::new());
    while read < last {
        let chunk = match poll_fn(|cx| tail.poll_chunk(cx)).await {
            Some(chunk) => chunk.map_err(TailError::Evicted)?,
            None => break,
        };
        read = chunk.last_seq;
        parser.push(&chunk.bytes, &mut events).expect("no event is longer than usize::MAX");
        for event in events.drain(..).filter(|event| event.name == name) {
            newest.push_back(Event::new(event.name, event.data));
            if newest.len() > limit {
                newest.pop_front();
            }
        }
    }
    Ok(newest.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume::{RingConfig, RingStream};

    #[tokio::test]
    async fn the_newest_events_of_a_name_come_oldest_first() {
        let stream = RingStream::new(RingConfig::default());
        for n in 0..10 {
            stream.append(Event::new("odd", format!("{n}\n{n}")).into()).await.unwrap();
            stream.append(Event::new("even", "x").into()).await.unwrap();
        }
        let expected = [8, 9].map(|n| Event::new("odd", format!("{n}\n{n}")));
        assert_eq!(stream.newest("odd", 2).await.unwrap(), expected);
        assert_eq!(stream.newest("even", 99).await.unwrap().len(), 10);
        assert_eq!(stream.newest("none", 1).await.unwrap(), []);
    }
}
