//! Reads the query of a URL.

/// The values of a parameter, percent-decoded, in order. A parameter without `=` has none.
pub(crate) fn values<'a>(query: Option<&'a str>, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(key, _)| decode(key) == name.as_bytes()).map(|(_, value)| decode(value))
}

/// Decodes `+` and `%XX`. What looks like an escape and is none stays as it is.
fn decode(text: &str) -> Vec<u8> {
    percent_decode(&text.replace('+', " "))
}

/// Decodes `%XX`. What looks like an escape and is none stays as it is.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at..at + 3).filter(|escape| escape[0] == b'%');
        match escape.and_then(|escape| Some(hex(escape[1])? << 4 | hex(escape[2])?)) {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_names_are_compared_whole() {
        let all = |query, name| {
            values(Some(query), name).map(|v| String::from_utf8(v).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(all("a=1&b=2&a=3", "a"), ["1", "3"]);
        assert_eq!(all("a=x%2By+z%3d%C3%BC", "a"), ["x+y z=ü"]);
        assert_eq!(all("%61=1", "a"), ["1"]);
        assert_eq!(all("a=%4&a=%zz&a=%&a=", "a"), ["%4", "%zz", "%", ""]);
        assert_eq!(all("aa=1&a&=a", "a"), [""; 0]);
        assert_eq!(values(None, "a").count(), 0);
    }
}
