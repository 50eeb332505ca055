//! Rewrites JSON so that every database and every decoder accepts it.
//!
//! JavaScript can write strings that are not Unicode, for example half of an emoji: `"\ud83d"`. Such escapes,
//! and `\u0000`, are valid JSON, but Postgres and many decoders refuse them.

use std::borrow::Cow;

/// The escape of U+FFFD, the replacement character.
const REPLACEMENT: &str = "\\ufffd";

/// Replaces `\u0000` and unpaired surrogates with U+FFFD. Returns the JSON borrowed if there are none.
pub(super) fn plain(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut plain = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        at = match unit(bytes, escape) {
            None => escape + 2,
            Some(0xd800..=0xdbff) if matches!(unit(bytes, escape + 6), Some(0xdc00..=0xdfff)) => escape + 12,
            Some(0 | 0xd800..=0xdfff) => {
                plain.push_str(&json[copied..escape]);
                plain.push_str(REPLACEMENT);
                copied = escape + 6;
                copied
            }
            Some(_) => escape + 6,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    plain.push_str(&json[copied..]);
    Cow::Owned(plain)
}

/// The code unit of the escape `\uXXXX` that starts at `at`.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at + 6)?;
    let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_left_alone() {
        for json in [
            "{}",
            r#"{"a":"b\n\\u0000\"\u00e4\ud83d\ude00"}"#,
            r#"{"a":"\\\\u0000 \u0001"}"#,
            r#"{"ä":"😀"}"#,
        ] {
            assert!(matches!(plain(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn what_is_not_unicode_is_replaced() {
        for (json, expected) in [
            (r#""\u0000""#, r#""\ufffd""#),
            (r#""a\\\u0000b""#, r#""a\\\ufffdb""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00\uD83D""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00 \u0000""#, r#""\ufffd\ud83d\ude00 \ufffd""#),
            (r#""\ud83dx\ude00""#, r#""\ufffdx\ufffd""#),
        ] {
            assert_eq!(plain(json), expected, "{json}");
            serde_json::from_str::<String>(&plain(json)).unwrap();
        }
    }
}
