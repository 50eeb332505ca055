use std::{
    fmt,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::Framing;
use crate::resume::{Attached, Chunk, Event, EventParser, Evicted, Tail};

/// A tail whose chunks have another framing than the frames of the log.
pub struct Reframed<T, F> {
    tail: T,
    framing: F,
    preamble: Option<Bytes>,
    parser: EventParser,
    ended: bool,
}

impl<T: Tail, F: Framing> Reframed<T, F> {
    pub(in crate::resume) fn new(tail: T, framing: F) -> Self {
        let preamble = framing.preamble();
        Self { tail, framing, preamble, parser: EventParser::new(usize::MAX), ended: false }
    }

    fn write(&mut self, chunk: Chunk) -> Chunk {
        if self.framing.is_that_of_the_log() {
            return chunk;
        }
        let mut bytes = Vec::with_capacity(chunk.bytes.len());
        for (seq, event) in events(&mut self.parser, &chunk.bytes) {
            self.framing.write(Some(seq), &event, &mut bytes);
        }
        Chunk { bytes: bytes.into(), last_seq: chunk.last_seq }
    }

    fn eviction(&self, evicted: Evicted) -> Chunk {
        let message = format!("This reader fell too far behind: {evicted}.");
        let mut bytes = Vec::new();
        self.framing.write(None, &self.framing.failure("evicted", &message), &mut bytes);
        Chunk { bytes: bytes.into(), last_seq: evicted.after }
    }
}

/// The events in whole frames of the log, with their sequence numbers.
pub(crate) fn events(parser: &mut EventParser, frames: &[u8]) -> Vec<(u64, Event)> {
    let mut parsed = Vec::new();
    parser.push(frames, &mut parsed).expect("no event is longer than usize::MAX");
    let numbered = parsed.into_iter().filter_map(|event| {
        let seq = event.id?.parse().ok()?;
        Some((seq, Event::new(event.name, event.data)))
    });
    numbered.collect()
}

impl<T: Tail, F: Framing> Tail for Reframed<T, F> {
    fn attached(&self) -> &Attached {
        self.tail.attached()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        if let Some(bytes) = self.preamble.take() {
            return Poll::Ready(Some(Ok(Chunk { bytes, last_seq: self.tail.attached().after })));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let chunk = match ready!(self.tail.poll_chunk(cx)) {
                Some(Ok(chunk)) => self.write(chunk),
                // Clients get the end in their own framing.
                Some(Err(evicted)) => {
                    self.ended = true;
                    self.eviction(evicted)
                }
                None => return Poll::Ready(None),
            };
            // A chunk of comments of the log may have nothing for clients.
            if !chunk.bytes.is_empty() {
                return Poll::Ready(Some(Ok(chunk)));
            }
        }
    }

    fn was_forgotten(&self) -> bool {
        self.tail.was_forgotten()
    }
}

impl<T, F> fmt::Debug for Reframed<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reframed").field("ended", &self.ended).finish_non_exhaustive()
    }
}
