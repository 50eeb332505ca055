//! A foreign event stream, cut anywhere.
//!
//! The first two bytes of the input are the event limit and the size of a chunk.
#![no_main]

use agent_webkit::layers::resume::{EventParser, ParsedEvent, encode_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (limit, chunk, bytes) = input;
    let chunk = usize::from(chunk).max(1);

    let events = parsed(bytes.chunks(chunk), usize::MAX).expect("there is no limit");
    assert_eq!(parsed([bytes].into_iter(), usize::MAX).as_ref(), Ok(&events), "the cuts change the events");
    recorded_and_read_back(&events);

    let limit = usize::from(limit);
    let bounded = parsed(bytes.chunks(chunk), limit);
    assert_eq!(bounded, parsed([bytes].into_iter(), limit), "the cuts change where the limit is");
    let (Ok(bounded) | Err(bounded)) = bounded;
    assert!(events.starts_with(&bounded), "a limit changes the events before it");
    assert!(bounded.iter().all(|event| event.data.len() <= limit));
});

/// Returns the events or, as the error, those before one that is too large.
fn parsed<'a>(
    chunks: impl Iterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<Vec<ParsedEvent>, Vec<ParsedEvent>> {
    let mut parser = EventParser::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        if parser.push(chunk, &mut events).is_err() {
            return Err(events);
        }
    }
    Ok(events)
}

/// Checks that a client parses the recorded frames to the same events.
fn recorded_and_read_back(events: &[ParsedEvent]) {
    let frames: Vec<_> =
        (1..).zip(events).map(|(seq, event)| encode_frame(Some(seq), &event.name, &event.data)).collect();
    let read = parsed(frames.iter().map(|frame| &frame[..]), usize::MAX).expect("there is no limit");
    let contents = |events: &[ParsedEvent]| -> Vec<_> {
        events.iter().map(|event| (event.name.clone(), event.data.clone())).collect()
    };
    assert_eq!(contents(&read), contents(events));
    assert!((1..).zip(&read).all(|(seq, event)| event.id == Some(u64::to_string(&seq))));
}
