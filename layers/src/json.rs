//! The little JSON that the layers write themselves.

use std::fmt::Write;

/// The body of an answer: `{"detail": sentence}`.
pub(crate) fn detail(sentence: &str) -> String {
    format!("{{\"detail\":{}}}", string(sentence))
}

/// A JSON string.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
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
            "\"a \\\"quoted\\\" \\\\ path,\\n\\u0009tab, \\u0000\\u001f\u{7f} ünïcode 🦀 </script>\""
        );
    }
}
