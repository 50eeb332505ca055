//! Output of the CLI, cut anywhere, and JSON that is relayed to the CLI.
//!
//! The first two bytes of the input are the line limit and the size of a chunk.
#![no_main]

use agent_webkit::claude::{Framed, Framer, encode};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

#[derive(Debug, PartialEq)]
enum Item {
    Line(Vec<u8>),
    Oversize(usize),
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (limit, chunk, bytes) = input;
    let limit = usize::from(limit);
    assert_eq!(framed(bytes.chunks(usize::from(chunk).max(1)), limit), lines(bytes, limit));

    for item in framed([bytes].into_iter(), usize::MAX) {
        if let Item::Line(line) = item {
            relayed_on_one_line(&line);
        }
    }
    relayed_on_one_line(bytes);
});

fn framed<'a>(chunks: impl Iterator<Item = &'a [u8]>, limit: usize) -> Vec<Item> {
    let own = |framed: Framed<'_>| match framed {
        Framed::Line(line) => Item::Line(line.to_vec()),
        Framed::Oversize { length } => Item::Oversize(length),
    };
    let mut framer = Framer::new(limit);
    let mut items = Vec::new();
    for chunk in chunks {
        framer.feed(chunk);
        while let Some(item) = framer.next() {
            items.push(own(item));
        }
    }
    items.extend(framer.finish().map(own));
    items
}

/// The items that the framer must find, computed from the whole input.
fn lines(bytes: &[u8], limit: usize) -> Vec<Item> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .filter_map(|line| match line {
            long if long.len() > limit => Some(Item::Oversize(long.len())),
            [b'{', ..] => Some(Item::Line(line.strip_suffix(b"\r").unwrap_or(line).to_vec())),
            _ => None,
        })
        .collect()
}

/// Checks that relayed JSON reaches the CLI as one line with the same value.
fn relayed_on_one_line(json: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<&RawValue>(json) else { return };
    let mut line = Vec::new();
    encode(&[raw], &mut line).expect("a raw value is JSON");
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "a line break got through");
    let sent: Result<Vec<serde_json::Value>, _> = serde_json::from_slice(&line);
    let given: Result<serde_json::Value, _> = serde_json::from_slice(json);
    match (sent, given) {
        (Ok(sent), Ok(given)) => assert_eq!(sent, [given]),
        // Raw JSON may contain what a tree cannot represent: a lone surrogate, or a number out of range.
        (sent, given) => assert!(sent.is_err() && given.is_err(), "{sent:?} from {given:?}"),
    }
}
