//! A session's title in lists: the beginning of its first message.

use crate::proto::Inbound;

/// Maximum length of a title, in characters.
const LENGTH: usize = 80;

/// Returns the first non-empty line of a user's message, cut to `LENGTH` characters. `None` for other inputs
/// and for messages without text.
pub(crate) fn of(input: &Inbound) -> Option<String> {
    let Inbound::UserMessage { content, .. } = input else { return None };
    let text = match serde_json::from_str(content.get()).ok()? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Array(blocks) => {
            blocks.iter().find_map(|block| block.get("text")?.as_str().map(str::to_owned))?
        }
        _ => return None,
    };
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    // A NUL ends the text in many of the places where a title is shown.
    Some(
        line.chars()
            .take(LENGTH)
            .map(|char| if char == '\0' { char::REPLACEMENT_CHARACTER } else { char })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(content: &str) -> Option<String> {
        of(&Inbound::parse(format!(r#"{{"type":"user_message","content":{content}}}"#).as_bytes()).unwrap())
    }

    #[test]
    fn it_is_the_first_line_with_words() {
        assert_eq!(title(r#""\n  Make it so.\nNow.""#).as_deref(), Some("Make it so."));
        assert_eq!(title(r#"[{"type":"text","text":"hé"}]"#).as_deref(), Some("hé"));
        assert_eq!(title(&format!(r#""{}""#, "é".repeat(200))).unwrap().chars().count(), LENGTH);
        assert_eq!(title(r#"" ""#), None);
        assert_eq!(title(r#""a\u0000b""#).as_deref(), Some("a\u{fffd}b"));
    }
}
