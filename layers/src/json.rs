//! Writes the JSON of the layers' own answers.

use std::fmt::Write;

/// The body of an answer: `{"detail": sentence}`.
pub(crate) fn detail(sentence: &str) -> String {
    format!("{{\"detail\":{}}}", string(sentence))
}

/// A JSON string, escaped as `serde_json` does it, so that answers have the same bytes whichever writes them.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\0'..='\x1f' => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a String takes everything"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_escaped_and_read_back_the_same() {
        let hard = "a \"quoted\" \\ path,\n\ttab, \u{0}\u{1f}\u{7f} ünïcode 🦀 </script>";
        assert_eq!(
            string(hard),
            "\"a \\\"quoted\\\" \\\\ path,\\n\\ttab, \\u0000\\u001f\u{7f} ünïcode 🦀 </script>\""
        );
    }

    #[test]
    fn every_character_below_a_space_is_escaped_as_serde_json_does() {
        let all: String = (0..0x80).filter_map(char::from_u32).collect();
        assert_eq!(string(&all), serde_json::to_string(&all).unwrap());
    }
}
