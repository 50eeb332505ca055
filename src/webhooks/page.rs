//! The pages of a link, as HTML without any script.

use std::{
    fmt::{self, Write},
    sync::LazyLock,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

/// The style of every page, which the policy names by its hash.
const STYLE: &str = include_str!("page.css");

/// Nothing is loaded and nothing runs; the form leads back to this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is ASCII")
});

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
];

/// An open permission request, as the description of its session has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) correlation_id: String,
    r#type: String,
    #[serde(default)]
    tool_name: String,
    input: Option<Box<RawValue>>,
    #[serde(default)]
    context: Value,
}

impl Asked {
    pub(super) fn is_permission(&self) -> bool {
        self.r#type == "permission_request"
    }
}

/// Where it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) owner: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) cwd: &'a str,
    pub(super) session_id: &'a str,
    pub(super) expires_at: &'a str,
}

/// The page that asks.
pub(super) fn question(asked: &Asked, place: &Place<'_>) -> Response<Bytes> {
    let mut html = String::new();
    let tool = visible(&asked.tool_name);
    let _ = write!(html, "<h1>Allow {tool}?</h1>");
    for member in ["title", "description", "decision_reason", "blocked_path"] {
        if let Some(text) = asked.context[member].as_str() {
            let _ = write!(html, "<p>{}</p>", visible(text));
        }
    }
    html.push_str("<dl>");
    let facts = [
        ("Session", place.title),
        ("Directory", Some(place.cwd)),
        ("Owner", place.owner),
        ("Session id", Some(place.session_id)),
        ("This link holds until", Some(place.expires_at)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            let _ = write!(html, "<dt>{name}</dt><dd>{}</dd>", visible(value));
        }
    }
    html.push_str("</dl><h2>Input</h2>");
    html.push_str(&asked.input.as_deref().map_or_else(String::new, input));
    html.push_str(
        "<form method=\"post\"><label for=\"reason\">Reason for the agent, if you deny</label>\
         <input id=\"reason\" name=\"reason\" maxlength=\"1000\" autocomplete=\"off\">\
         <div><button name=\"decision\" value=\"deny\">Deny</button>\
         <button name=\"decision\" value=\"allow\" class=\"allow\">Allow once</button></div></form>",
    );
    page(StatusCode::OK, &format!("Allow {}?", asked.tool_name), &html)
}

/// A page with one sentence.
pub(super) fn sentence(status: StatusCode, title: &str, text: &str) -> Response<Bytes> {
    page(status, title, &format!("<h1>{}</h1><p>{}</p>", visible(title), visible(text)))
}

/// Each member as a block of text, in the agent's order; JSON where it is not a string.
fn input(input: &RawValue) -> String {
    let block = |value: &Value| match value {
        Value::String(text) => format!("<pre>{}</pre>", visible(text)),
        other => format!("<pre>{}</pre>", visible(&format!("{other:#}"))),
    };
    match serde_json::from_str::<Members>(input.get()) {
        Ok(Members(members)) if members.is_empty() => "<p>None.</p>".to_owned(),
        Ok(Members(members)) => members
            .iter()
            .map(|(name, value)| format!("<h3>{}</h3>{}", visible(name), block(value)))
            .collect(),
        Err(_) => format!("<pre>{}</pre>", visible(input.get())),
    }
}

/// The members of an object in their order, those with the same name as well.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn page(status: StatusCode, title: &str, main: &str) -> Response<Bytes> {
    // A title is text alone.
    let title = visible(title).replace("<b>", "").replace("</b>", "");
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{main}</main></body></html>"
    );
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// The text in HTML. Characters that would hide or reorder others are written out.
fn visible(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(html, "<b>\\u{{{:x}}}</b>", u32::from(c));
            }
            c => html.push(c),
        }
    }
    html
}

/// Marks of direction, joiners and other characters without a width, tags, and fillers.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_of_the_agent_is_text_and_nothing_is_hidden() {
        let evil = "<script>alert(1)</script>\"'&\u{202e}txt.exe\u{200b}\u{7}";
        let asked: Asked = serde_json::from_value(json!({
            "type": "permission_request", "correlation_id": "a", "tool_name": evil,
            "input": {evil: evil, "more": {evil: [evil]}},
            "context": {"title": evil, "description": evil},
        }))
        .unwrap();
        let place =
            Place { owner: Some(evil), title: Some(evil), cwd: evil, session_id: evil, expires_at: "now" };
        for response in [question(&asked, &place), sentence(StatusCode::OK, evil, evil)] {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script")
            );
            let html = std::str::from_utf8(response.body()).unwrap();
            assert!(!html.contains("<script") && !html.contains('\u{202e}') && !html.contains('\u{200b}'));
            assert!(html.contains("<b>\\u{202e}</b>txt.exe<b>\\u{200b}</b><b>\\u{7}</b>"), "{html}");
            assert!(!html.contains("http") && !html.contains(" style="), "{html}");
        }
    }

    #[test]
    fn the_whole_input_is_shown() {
        let content = json!(format!("{}END", "line\n".repeat(10_000)));
        let asked: Asked = serde_json::from_str(&format!(
            r#"{{"type":"permission_request","correlation_id":"a","tool_name":"Write",
                "input":{{"file_path":"/a","content":{content},"n":3,"a":[],"a":{{"b":"<"}}}}}}"#
        ))
        .unwrap();
        let place = Place { owner: None, title: None, cwd: "/", session_id: "s", expires_at: "now" };
        let response = question(&asked, &place);
        let html = std::str::from_utf8(response.body()).unwrap();
        assert!(html.contains("<h3>file_path</h3><pre>/a</pre><h3>content</h3><pre>line\n"), "{html}");
        assert!(html.contains("END</pre><h3>n</h3><pre>3</pre><h3>a</h3><pre>[]</pre><h3>a</h3>"), "{html}");
        assert!(!html.contains("Owner"));
    }
}
