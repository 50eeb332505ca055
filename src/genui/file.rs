//! Components in a file.

use serde::Deserialize;
use serde_json::Value;

use super::{GenUi, GenUiError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    components: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    description: String,
    schema: Value,
}

pub(super) fn read(text: &str) -> Result<GenUi, GenUiError> {
    let file: File = serde_json::from_str(text).map_err(|error| GenUiError::new(error.to_string()))?;
    if file.components.is_empty() {
        return Err(GenUiError::new("there is no component"));
    }
    let mut components = file.components.into_iter();
    components.try_fold(GenUi::new(), |genui, Entry { name, description, schema }| {
        genui.with_schema(name, description, schema)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_is_refused_in_one_sentence() {
        let one =
            |name: &str| format!(r#"{{"name":"{name}","description":"d","schema":{{"type":"object"}}}}"#);
        let all = |entries: &str| format!(r#"{{"components":[{entries}]}}"#);
        for (text, sentence) in [
            ("{".to_owned(), "EOF while parsing"),
            ("{}".to_owned(), "missing field `components`"),
            (all(""), "there is no component"),
            (all(r#"{"name":"a"}"#), "missing field `schema`"),
            (all(r#"{"name":"a","schema":{"type":"object"},"title":1}"#), "unknown field `title`"),
            (
                all(r#"{"name":"a","schema":[]}"#),
                "the schema of the component `a` must have the type `object`",
            ),
            (all(&format!("{},{}", one("a"), one("a"))), "there are two components of the name `a`"),
            (all(&one("A")), "the name of the component `A` must match ^[a-z][a-z0-9_]*$"),
            (all(&one("1a")), "the name of the component `1a` must"),
            (all(&one("")), "the name of the component `` must"),
            (all(&one("a\\n")), "the name of the component `a\\n` must"),
            (all(&one("a-b")), "the name of the component `a-b` must"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(sentence) && !error.contains('\n'), "{error}");
        }
        assert_eq!(read(&all(&one("a"))).unwrap().schema()["tools"][0]["short_name"], "a");
        let undescribed = read(&all(r#"{"name":"a","schema":{"type":"object"}}"#)).unwrap();
        assert_eq!(undescribed.schema()["tools"][0]["description"], "Render the a component");
    }
}
