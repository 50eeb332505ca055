//! Patterns with `*`.

/// Whether a text matches a pattern: `*` stands for any characters, none included.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    parts(pattern.as_bytes(), text.as_bytes(), false)
}

/// Whether a path matches a pattern: `*` stands for any characters but `/`, `**` for any characters, and `**/` for any
/// number of directories, none included.
pub(super) fn matches_path(pattern: &str, path: &str) -> bool {
    parts(pattern.as_bytes(), path.as_bytes(), true)
}

/// Follows all ways to match at once, so that no text makes it slow.
fn parts(pattern: &[u8], text: &[u8], is_path: bool) -> bool {
    // Whether the pattern so far matches the text up to each place.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((first, more)) = rest.split_first() {
        let is_double = *first == b'*' && more.first() == Some(&b'*');
        let is_directories = is_path && is_double && more.get(1) == Some(&b'/');
        let before = reached.clone();
        let mut open = false;
        for at in 0..=text.len() {
            let last = at.checked_sub(1).map(|last| text[last]);
            reached[at] = match first {
                b'*' if is_directories => {
                    open |= at > 0 && before[at - 1];
                    before[at] || open && last == Some(b'/')
                }
                b'*' => {
                    open = before[at] || open && (is_double || !is_path || last != Some(b'/'));
                    open
                }
                byte => at > 0 && before[at - 1] && last == Some(*byte),
            };
        }
        rest = &more[if is_directories { 2 } else { usize::from(is_double) }..];
    }
    reached[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("ls *", "ls -la /x") && matches("*", "") && matches("mcp__*__read", "mcp__a__read"));
        assert!(!matches("ls *", "lsof") && !matches("ls", "ls -la") && !matches("*x", "xy"));
    }

    #[test]
    fn a_star_in_a_path_ends_at_its_directory() {
        assert!(matches_path("/w/*.rs", "/w/a.rs") && !matches_path("/w/*.rs", "/w/b/a.rs"));
        assert!(matches_path("/w/**", "/w/b/a.rs") && !matches_path("/w/**", "/wx"));
        assert!(matches_path("/w/**/a.rs", "/w/a.rs") && matches_path("/w/**/a.rs", "/w/b/c/a.rs"));
        assert!(!matches_path("/w/**/a.rs", "/w/ba.rs"));
    }
}
