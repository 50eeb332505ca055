//! Turns a request's messages into a [`Plan`], without I/O.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use uuid::Uuid;

/// Prefixes of the texts that the CLI itself adds to user messages.
const WRITTEN_BY_THE_CLI: [&str; 5] = [
    "<system-reminder>",
    "<task-notification>",
    "<local-command-",
    "[Request interrupted",
    "[Image: source:",
];

/// The used members of a Messages API request.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) stream: bool,
    messages: Vec<Turn>,
    #[serde(default)]
    system: Option<Content>,
    #[serde(default)]
    tools: Vec<Tool>,
}

#[derive(Debug, Deserialize)]
struct Tool {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Turn {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    r#type: String,
    #[serde(default)]
    text: String,
}

/// How to answer a request.
#[derive(Debug)]
pub(super) enum Plan {
    /// Answer with a message.
    Message(Answer),
    /// Answer with an HTTP error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The API's error type, such as `overloaded_error`.
        kind: String,
    },
}

/// The message to answer with.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The content blocks, in order.
    pub(super) blocks: Vec<Block>,
    /// The pause before each delta.
    pub(super) token_pause: Duration,
    /// The pause before the end of the message.
    pub(super) silence: Duration,
}

/// A content block.
#[derive(Debug)]
pub(super) enum Block {
    /// Text, one piece per delta.
    Text(Vec<String>),
    /// Thinking, as one delta.
    Thinking(String),
    /// A tool call.
    ToolUse { id: String, name: String, input: Box<RawValue> },
}

impl Request {
    /// Decides how to answer the request.
    pub(super) fn plan(&self) -> Plan {
        let Some((at, prompt)) = self.prompt() else {
            return Plan::Message(Answer::text("You said nothing."));
        };
        let Some(source) = script_in(prompt) else {
            return Plan::Message(Answer::text(&format!("You said: {prompt}")));
        };
        let answered = self.messages[at..].iter().filter(|turn| turn.role == "assistant").count();
        self.run(source, answered).unwrap_or_else(|error| {
            Plan::Message(Answer::text(&format!("The script cannot be read: {error}.")))
        })
    }

    /// Returns the user's newest text, and the index of its message.
    fn prompt(&self) -> Option<(usize, &str)> {
        let users = self.messages.iter().enumerate().rev().filter(|(_, turn)| turn.role == "user");
        for (at, turn) in users {
            let mut texts = turn.content.texts();
            texts.retain(|text| !WRITTEN_BY_THE_CLI.iter().any(|start| text.trim_start().starts_with(start)));
            // The CLI adds hints to a message with a tool result, so only a script counts as the user's text.
            if turn.content.has_tool_result() {
                texts.retain(|text| script_in(text).is_some());
            }
            if let Some(newest) = texts.pop() {
                return Some((at, newest));
            }
        }
        None
    }

    /// Plans the step that follows this number of answers.
    fn run(&self, source: &str, answered: usize) -> serde_json::Result<Plan> {
        let script: Script = serde_json::from_str(source)?;
        let token_pause = Duration::from_millis(script.token_ms);
        let Some(step) = script.steps.get(answered) else {
            return Ok(Plan::Message(Answer::text("(script over)")));
        };

        let items = if step.get().starts_with('[') {
            serde_json::from_str::<Vec<Box<RawValue>>>(step.get())?
        } else if step.get().starts_with('{') {
            match serde_json::from_str(step.get())? {
                Item { status: Some(status), error, .. } => {
                    let kind = error.unwrap_or_else(|| "api_error".into());
                    return Ok(Plan::Error { status, kind });
                }
                Item { hang: Some(seconds), .. } => {
                    let silence = Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)?;
                    return Ok(Plan::Message(Answer { silence, ..Answer::default() }));
                }
                _ => vec![step.clone()],
            }
        } else {
            vec![step.clone()]
        };
        let blocks = items.iter().map(|item| self.block(item)).collect::<Result<_, _>>()?;
        Ok(Plan::Message(Answer { blocks, token_pause, ..Answer::default() }))
    }

    fn block(&self, item: &RawValue) -> serde_json::Result<Block> {
        if item.get().starts_with('"') {
            let text: String = serde_json::from_str(item.get())?;
            return Ok(Block::Text(words(&self.replaced(text))));
        }
        match serde_json::from_str(item.get())? {
            Item { text: Some(text), times, .. } => Ok(Block::Text(vec![text; times.unwrap_or(1)])),
            Item { think: Some(thinking), .. } => Ok(Block::Thinking(thinking)),
            Item { tool: Some(name), input, id, .. } => Ok(Block::ToolUse {
                id: id.unwrap_or_else(|| format!("toolu_{}", Uuid::new_v4().simple())),
                name,
                input: input.map_or_else(|| to_raw_value(&json!({})), Ok)?,
            }),
            _ => Err(serde::de::Error::custom(
                "a block must be a string or an object with `text`, `think` or `tool`",
            )),
        }
    }

    fn replaced(&self, text: String) -> String {
        let users = || self.messages.iter().filter(|turn| turn.role == "user");
        match text.as_str() {
            "ECHO_HISTORY" => users().flat_map(|turn| turn.content.texts()).collect::<Vec<_>>().join("\n"),
            "ECHO_MODEL" => self.model.clone(),
            "ECHO_IMAGES" => users().map(|turn| turn.content.images()).sum::<usize>().to_string(),
            "ECHO_SYSTEM" => self.system.iter().flat_map(Content::texts).collect::<Vec<_>>().join("\n"),
            "ECHO_TOOLS" => self.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>().join(" "),
            _ => text,
        }
    }
}

impl Answer {
    fn text(text: &str) -> Self {
        Self { blocks: vec![Block::Text(words(text))], ..Self::default() }
    }
}

impl Content {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Parts(parts) => {
                parts.iter().filter(|part| part.r#type == "text").map(|part| part.text.as_str()).collect()
            }
        }
    }

    fn has_tool_result(&self) -> bool {
        self.count("tool_result") > 0
    }

    fn images(&self) -> usize {
        self.count("image")
    }

    fn count(&self, kind: &str) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Parts(parts) => parts.iter().filter(|part| part.r#type == kind).count(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    steps: Vec<Box<RawValue>>,
    #[serde(default)]
    token_ms: u64,
}

/// All members of a step or a block that is an object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    text: Option<String>,
    times: Option<usize>,
    think: Option<String>,
    tool: Option<String>,
    input: Option<Box<RawValue>>,
    id: Option<String>,
    status: Option<u16>,
    error: Option<String>,
    hang: Option<f64>,
}

/// Returns the JSON from the first `<<{` to the last `}>>`. The last, because a script may hold a sub-agent's
/// script.
fn script_in(text: &str) -> Option<&str> {
    let start = text.find("<<{")? + 2;
    let end = text.rfind("}>>")? + 1;
    (start < end).then(|| &text[start..end])
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn request(messages: Value) -> Request {
        let mut body = json!({"model": "m-1", "stream": true});
        body["messages"] = messages;
        serde_json::from_value(body).unwrap()
    }

    fn answer(messages: Value) -> Answer {
        match request(messages).plan() {
            Plan::Message(answer) => answer,
            error @ Plan::Error { .. } => panic!("{error:?}"),
        }
    }

    fn text(messages: Value) -> String {
        match &answer(messages).blocks[..] {
            [Block::Text(pieces)] => pieces.concat(),
            blocks => panic!("not one text: {blocks:?}"),
        }
    }

    #[test]
    fn without_a_script_the_users_own_newest_text_comes_back() {
        let reminder = json!({"type": "text", "text": "<system-reminder>be good</system-reminder>"});
        let said = text(json!([
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "You said: first"},
            {"role": "user", "content": [reminder, {"type": "text", "text": "a << b, c >> d"}, reminder]},
            {"role": "system", "content": "# Environment"},
        ]));
        assert_eq!(said, "You said: a << b, c >> d");
    }

    #[test]
    fn each_answer_moves_the_script_on_and_tool_results_do_not_end_it() {
        let prompt = json!({"role": "user", "content": r#"go <<{"steps":["one","two"]}>>"#});
        let asked = json!({"role": "assistant", "content": "x"});
        let told = json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "ok"}, {"type": "text", "text": "a hint"}]});
        assert_eq!(text(json!([prompt])), "one");
        assert_eq!(text(json!([prompt, asked, told])), "two");
        assert_eq!(text(json!([prompt, asked, told, asked, told])), "(script over)");
    }

    #[test]
    fn a_newer_prompt_ends_an_older_script() {
        let interrupted = json!([{"role": "user", "content": [
            {"type": "text", "text": r#"<<{"steps":["one","two"]}>>"#},
            {"type": "text", "text": "[Request interrupted by user]"},
            {"type": "text", "text": "second"},
        ]}]);
        assert_eq!(text(interrupted), "You said: second");
    }

    #[test]
    fn a_step_may_hold_several_blocks() {
        let script = r#"<<{"token_ms":7,"steps":[[{"think":"hm"},"a b",{"tool":"Bash","input":{"z":1,"a":2},"id":"toolu_1"}]]}>>"#;
        let answer = answer(json!([{"role": "user", "content": script}]));
        assert_eq!(answer.token_pause, Duration::from_millis(7));
        let [Block::Thinking(thinking), Block::Text(pieces), Block::ToolUse { id, name, input }] =
            &answer.blocks[..]
        else {
            panic!("{:?}", answer.blocks)
        };
        assert_eq!((thinking.as_str(), id.as_str(), name.as_str()), ("hm", "toolu_1", "Bash"));
        assert_eq!(pieces, &["a ", "b"]);
        assert_eq!(input.get(), r#"{"z":1,"a":2}"#, "members keep their order");
    }

    #[test]
    fn a_script_may_hold_the_script_of_a_sub_agent() {
        let inner = r#"look <<{"steps":["found"]}>>"#;
        let outer = json!({"steps": [{"tool": "Task", "input": {"prompt": inner}}]});
        let answer = answer(json!([{"role": "user", "content": format!("<<{outer}>>")}]));
        let [Block::ToolUse { input, .. }] = &answer.blocks[..] else { panic!("{:?}", answer.blocks) };
        let input: Value = serde_json::from_str(input.get()).unwrap();
        assert_eq!(input["prompt"], inner);
    }

    #[test]
    fn times_repeats_a_text_piece_by_piece() {
        let answer =
            answer(json!([{"role": "user", "content": r#"<<{"steps":[{"text":"ab c","times":3}]}>>"#}]));
        assert!(matches!(&answer.blocks[..], [Block::Text(pieces)] if pieces == &["ab c"; 3]));
    }

    #[test]
    fn errors_and_silence_are_whole_steps() {
        let error = request(json!([{"role": "user", "content": r#"<<{"steps":[{"status":529}]}>>"#}])).plan();
        assert!(matches!(error, Plan::Error { status: 529, kind } if kind == "api_error"));
        let silence = answer(json!([{"role": "user", "content": r#"<<{"steps":[{"hang":0.5}]}>>"#}])).silence;
        assert_eq!(silence, Duration::from_millis(500));
    }

    #[test]
    fn echoes_tell_what_the_model_saw() {
        let echo = |what: &str| {
            let prompt = format!(r#"look <<{{"steps":["{what}"]}}>>"#);
            let image =
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}});
            text(json!([
                {"role": "user", "content": "earlier"},
                {"role": "user", "content": [image, image, {"type": "text", "text": prompt}]},
            ]))
        };
        assert_eq!(echo("ECHO_HISTORY"), "earlier\nlook <<{\"steps\":[\"ECHO_HISTORY\"]}>>");
        assert_eq!(echo("ECHO_MODEL"), "m-1");
        assert_eq!(echo("ECHO_IMAGES"), "2");
    }

    #[test]
    fn a_script_that_cannot_be_read_says_why() {
        for script in
            [r#"<<{"steps":[{"tol":"Bash"}]}>>"#, r#"<<{"steps":3}>>"#, r#"<<{"steps":[{"hang":-1}]}>>"#]
        {
            let said = text(json!([{"role": "user", "content": script}]));
            assert!(said.starts_with("The script cannot be read: "), "{said}");
        }
    }
}
