//! What the terminal shows of the events.

use agent_webkit::proto::client::{Content, MessageComplete, Piece, ServerEvent, ToolResult};
use serde_json::Value;

/// Maximum length of a tool's input or output on the screen, in characters.
const LONGEST: usize = 400;

/// The texts of the conversation, in the order in which they are printed.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The message that is being written, and the part of its text that has been printed.
    message: Option<(String, String)>,
    /// Whether the last line has no end yet.
    in_line: bool,
}

impl Screen {
    /// Returns what to print for an event.
    pub(super) fn show(&mut self, event: &ServerEvent) -> String {
        match event {
            ServerEvent::UserMessage(said) => self.line(&format!("> {}", said_text(&said.content))),
            ServerEvent::MessageDelta(it) if it.parent_tool_use_id.is_none() => match &it.delta {
                Piece::Text { text } => self.text(&it.message_id, text),
                _ => String::new(),
            },
            ServerEvent::MessageComplete(it) if it.parent_tool_use_id.is_none() => self.complete(it),
            ServerEvent::ToolUse(call) => {
                let inner = if call.parent_tool_use_id.is_some() { "  " } else { "" };
                self.line(&format!("{inner}* {} {}", call.tool_name, short(&call.input.to_string())))
            }
            ServerEvent::ToolResult(result) if result.parent_tool_use_id.is_none() => self.result(result),
            ServerEvent::Result(turn) if turn.subtype != "success" => {
                self.line(&format!("(the turn ended: {})", turn.subtype))
            }
            ServerEvent::Result(_) => self.end_line(),
            ServerEvent::Error(error) => self.line(&format!("! {}: {}", error.code, error.message)),
            ServerEvent::TaskUpdate(task) => self.line(&format!("(task {}: {})", task.task_id, task.status)),
            ServerEvent::Done(_) => self.line("(the session has ended)"),
            _ => String::new(),
        }
    }

    /// A line of its own.
    pub(super) fn line(&mut self, text: &str) -> String {
        format!("{}{}\n", self.end_line(), printable(text))
    }

    /// Whatever was printed was of a conversation that starts again.
    pub(super) fn forget(&mut self) {
        self.message = None;
    }

    /// Ends the line that is being written.
    pub(super) fn end_line(&mut self) -> String {
        if std::mem::take(&mut self.in_line) { "\n".to_owned() } else { String::new() }
    }

    fn text(&mut self, id: &str, text: &str) -> String {
        let mut begin = String::new();
        if self.message.as_ref().is_none_or(|(message, _)| message != id) {
            begin = self.end_line();
            self.message = Some((id.to_owned(), String::new()));
        }
        if let Some((_, printed)) = &mut self.message {
            printed.push_str(text);
        }
        if !text.is_empty() {
            self.in_line = !text.ends_with('\n');
        }
        begin + &printable(text)
    }

    /// The rest of a message: all of it if its deltas are no longer held, nothing if all of them came.
    fn complete(&mut self, it: &MessageComplete) -> String {
        if it.abandoned {
            self.message = None;
            return self.line("(the agent begins this answer again)");
        }
        let blocks = it.message.content.iter().filter(|block| block["type"] == "text");
        let whole: String = blocks.filter_map(|block| block["text"].as_str()).collect();
        let printed = match &self.message {
            Some((id, printed)) if *id == it.message_id => printed.as_str(),
            _ => "",
        };
        match whole.strip_prefix(printed) {
            Some("") => String::new(),
            Some(rest) => {
                let rest = rest.to_owned();
                self.text(&it.message_id, &rest)
            }
            None => {
                self.message = None;
                self.text(&it.message_id, &whole)
            }
        }
    }

    fn result(&mut self, result: &ToolResult) -> String {
        let output = match &result.output {
            Value::String(text) => text.clone(),
            Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
            other => other.to_string(),
        };
        let failed = if result.is_error { " failed:" } else { "" };
        self.line(&format!("  ={failed} {}", short(output.trim())))
    }
}

fn said_text(content: &Value) -> String {
    match serde_json::from_value(content.clone()) {
        Ok(Content::Text(text)) => text,
        _ => content.as_array().into_iter().flatten().filter_map(|block| block["text"].as_str()).collect(),
    }
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Without control characters: the text of a model or a tool must not move the cursor or change the terminal's title.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|&char| matches!(char, '\n' | '\t') || !char.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn show(screen: &mut Screen, name: &str, data: &Value) -> String {
        screen.show(&ServerEvent::parse(name, &data.to_string()).unwrap())
    }

    fn delta(text: &str) -> Value {
        json!({"message_id": "m", "delta": {"type": "text", "text": text}})
    }

    fn complete(text: &str) -> Value {
        json!({"message_id": "m", "message": {"id": "m", "role": "assistant", "content": [{"type": "text", "text": text}]}})
    }

    #[test]
    fn a_text_is_printed_once_with_or_without_its_deltas() {
        let mut screen = Screen::default();
        let shown = show(&mut screen, "message_delta", &delta("Hel"))
            + &show(&mut screen, "message_delta", &delta("lo"));
        assert_eq!(shown, "Hello");
        assert_eq!(show(&mut screen, "message_complete", &complete("Hello")), "");
        assert_eq!(show(&mut screen, "message_complete", &complete("Hello again")), " again");
        let result = json!({"session_id": "s", "subtype": "success"});
        assert_eq!(show(&mut screen, "result", &result), "\n");
        assert_eq!(show(&mut Screen::default(), "message_complete", &complete("Hello")), "Hello");
    }

    #[test]
    fn tools_have_lines_of_their_own() {
        let mut screen = Screen::default();
        show(&mut screen, "message_delta", &delta("I look."));
        let call =
            json!({"message_id": "m", "tool_use_id": "t", "tool_name": "Bash", "input": {"command": "ls"}});
        assert_eq!(show(&mut screen, "tool_use", &call), "\n* Bash {\"command\":\"ls\"}\n");
        let result =
            json!({"tool_use_id": "t", "output": [{"type": "text", "text": "a\nb\n"}], "is_error": true});
        assert_eq!(show(&mut screen, "tool_result", &result), "  = failed: a\nb\n");
    }

    #[test]
    fn nothing_of_a_text_controls_the_terminal() {
        assert_eq!(
            show(&mut Screen::default(), "message_delta", &delta("a\u{1b}]0;b\u{7}\r\u{9b}c\td\n")),
            "a]0;bc\td\n"
        );
    }
}
