//! Text as it is stored. Postgres cannot store NUL, which the name of an owner or a title may hold.
//!
//! No two texts are stored alike: otherwise one owner's sessions would be another's.

use std::borrow::Cow;

/// Begins an escape. It is a noncharacter, so texts hardly ever hold it.
const ESCAPE: char = '\u{fdd0}';

/// The text with NUL and [`ESCAPE`] escaped.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => stored.extend([ESCAPE, '0']),
            ESCAPE => stored.extend([ESCAPE, ESCAPE]),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The text that is stored like this.
pub(super) fn read(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut chars = stored.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            ESCAPE if chars.as_str().starts_with('0') => chars.next().map_or(char, |_| '\0'),
            ESCAPE => chars.next().unwrap_or(ESCAPE),
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_reads_back_and_none_is_stored_with_a_nul_or_like_another() {
        let texts = ["", "a\\0b", "a\0b", "\0\0", "a\u{fdd0}b", "\u{fdd0}0", "\u{fdd0}\0", "0\u{fdd0}"];
        let stored: Vec<_> = texts.map(|text| stored(text).into_owned()).into();
        assert_eq!(stored.iter().map(|stored| read(stored.clone())).collect::<Vec<_>>(), texts);
        assert!(stored.iter().all(|stored| !stored.contains('\0')));
        assert_eq!(stored.iter().collect::<std::collections::HashSet<_>>().len(), texts.len());
    }
}
