//! The parser returns the same events however the stream is cut, and the same as a simple implementation of
//! the standard.

#![cfg(feature = "resume")]

use agent_webkit_layers::resume::{EventParser, EventTooLarge, ParsedEvent};
use proptest::prelude::*;

fn parse<'a>(
    parts: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> (Vec<ParsedEvent>, Result<(), EventTooLarge>) {
    let (mut parser, mut events) = (EventParser::new(limit), Vec::new());
    let pushed = parts.into_iter().try_for_each(|part| parser.push(part, &mut events));
    (events, pushed)
}

/// Parses a whole stream at once, line by line.
fn oracle(stream: &str) -> Vec<ParsedEvent> {
    let text = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
    let ended = text.rfind('\n').map_or("", |end| &text[..end]);
    let (mut events, mut id, mut name, mut data) = (Vec::new(), None, "", Vec::new());
    for line in ended.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                if !data.is_empty() {
                    let id = id.map(str::to_owned);
                    events.push(ParsedEvent { id, name: name.to_owned(), data: data.join("\n").into() });
                }
                (id, name, data) = (None, "", Vec::new());
            }
            "id" => id = Some(value),
            "event" => name = value,
            "data" => data.push(value),
            _ => {}
        }
    }
    events
}

fn stream() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        4 => Just("data"), 2 => Just("event"), 1 => Just("id"), 1 => Just("retry"), 1 => Just(""),
        1 => Just("x"), 1 => Just("datа"), 1 => Just("\u{feff}data"),
    ];
    let separator = prop_oneof![Just(":"), Just(": "), Just("")];
    let line = prop_oneof![
        3 => (field, separator, "[a-z: é\u{feff}]{0,6}").prop_map(|(field, separator, value)| format!("{field}{separator}{value}")),
        2 => Just(String::new()),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let lines = prop::collection::vec((line, end).prop_map(|(line, end)| line + end), 0..30);
    (prop_oneof![Just(""), Just("\u{feff}")], lines, "[a-z]{0,3}")
        .prop_map(|(mark, lines, rest)| format!("{mark}{}{rest}", lines.concat()))
}

proptest! {
    #[test]
    fn a_stream_reads_as_the_standard_says(stream in stream()) {
        let (events, pushed) = parse([stream.as_bytes()], usize::MAX);
        prop_assert_eq!(events, oracle(&stream));
        prop_assert!(pushed.is_ok());
    }

    #[test]
    fn cuts_change_nothing(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), limit in 1usize..60) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts = || cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        for limit in [limit, usize::MAX] {
            let whole = parse([bytes], limit);
            prop_assert_eq!(&parse(parts(), limit), &whole);
            prop_assert_eq!(&parse(bytes.chunks(1), limit), &whole);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..200)) {
        prop_assert_eq!(parse(bytes.chunks(1), 50), parse([&bytes[..]], 50));
    }
}
