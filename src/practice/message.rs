//! Encodes an answer for the Messages API: as one JSON object, or as the frames of a stream.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::script::{Answer, Block};

/// The number of tokens that every answer reports.
const INPUT_TOKENS: u32 = 5;
const OUTPUT_TOKENS: u32 = 10;

/// A placeholder: the practice model checks no signature.
const SIGNATURE: &str = "cHJhY3RpY2U=";

/// The size of one delta of a tool's input, in characters.
const INPUT_PIECE: usize = 24;

/// A frame of a stream, and the pause before it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) pause: Duration,
    pub(super) bytes: Bytes,
}

/// Encodes the answer as one message.
pub(super) fn whole(model: &str, answer: &Answer) -> Value {
    let blocks = answer.blocks.iter().map(|block| match block {
        Block::Text(pieces) => json!({"type": "text", "text": pieces.concat()}),
        Block::Thinking(thinking) => {
            json!({"type": "thinking", "thinking": thinking, "signature": SIGNATURE})
        }
        Block::ToolUse { id, name, input } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    });
    message(model, &blocks.collect::<Vec<_>>(), Some(stop_reason(answer)), OUTPUT_TOKENS)
}

/// Encodes the answer as the events of a stream, in order.
pub(super) fn frames(model: &str, answer: &Answer) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut push = |pause, data: Value| frames.push(Frame { pause, bytes: event(&data) });

    push(Duration::ZERO, json!({"type": "message_start", "message": message(model, &[], None, 1)}));
    for (index, block) in answer.blocks.iter().enumerate() {
        push(
            Duration::ZERO,
            json!({"type": "content_block_start", "index": index, "content_block": opened(block)}),
        );
        for delta in deltas(block) {
            let data = json!({"type": "content_block_delta", "index": index, "delta": delta});
            push(answer.token_pause, data);
        }
        push(Duration::ZERO, json!({"type": "content_block_stop", "index": index}));
    }
    let end = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    let usage = json!({"output_tokens": OUTPUT_TOKENS});
    push(answer.silence, json!({"type": "message_delta", "delta": end, "usage": usage}));
    push(Duration::ZERO, json!({"type": "message_stop"}));
    frames
}

/// Encodes the body of an error response.
pub(super) fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

fn message(model: &str, content: &[Value], stop_reason: Option<&str>, output_tokens: u32) -> Value {
    json!({
        "id": format!("msg_{}", Uuid::new_v4().simple()),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": output_tokens},
    })
}

fn stop_reason(answer: &Answer) -> &'static str {
    let calls = answer.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
    if calls { "tool_use" } else { "end_turn" }
}

/// Returns the empty block of a `content_block_start` event.
fn opened(block: &Block) -> Value {
    match block {
        Block::Text(_) => json!({"type": "text", "text": ""}),
        Block::Thinking(_) => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Block::ToolUse { id, name, .. } => json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
    }
}

fn deltas(block: &Block) -> Vec<Value> {
    match block {
        Block::Text(pieces) => {
            pieces.iter().map(|text| json!({"type": "text_delta", "text": text})).collect()
        }
        Block::Thinking(thinking) => vec![
            json!({"type": "thinking_delta", "thinking": thinking}),
            json!({"type": "signature_delta", "signature": SIGNATURE}),
        ],
        Block::ToolUse { input, .. } => input
            .get()
            .chars()
            .collect::<Vec<_>>()
            .chunks(INPUT_PIECE)
            .map(
                |piece| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()}),
            )
            .collect(),
    }
}

fn event(data: &Value) -> Bytes {
    let name = data["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn answer() -> Answer {
        Answer {
            blocks: vec![
                Block::Thinking("hm".into()),
                Block::Text(vec!["a ".into(), "b".into()]),
                Block::ToolUse {
                    id: "toolu_1".into(),
                    name: "Bash".into(),
                    input: to_raw_value(&json!({"command": "echo ünïcödé, more than a piece"})).unwrap(),
                },
            ],
            token_pause: Duration::from_millis(3),
            silence: Duration::ZERO,
        }
    }

    fn parsed(frames: &[Frame]) -> Vec<Value> {
        let data = |frame: &Frame| {
            let text = str::from_utf8(&frame.bytes).unwrap();
            let (event, data) = text.strip_suffix("\n\n").unwrap().split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(event.strip_prefix("event: "), data["type"].as_str());
            data
        };
        frames.iter().map(data).collect()
    }

    #[test]
    fn a_stream_tells_the_same_as_the_whole() {
        let whole = whole("m-1", &answer());
        let (mut blocks, mut inputs, mut stop) = (Vec::new(), String::new(), Value::Null);
        for data in parsed(&frames("m-1", &answer())) {
            let add = |to: &mut Value, from: &Value| {
                *to = format!("{}{}", to.as_str().unwrap(), from.as_str().unwrap()).into();
            };
            let delta = &data["delta"];
            match (data["type"].as_str().unwrap(), blocks.last_mut()) {
                ("content_block_start", _) => blocks.push(data["content_block"].clone()),
                ("content_block_delta", Some(block)) => match delta["type"].as_str().unwrap() {
                    "text_delta" => add(&mut block["text"], &delta["text"]),
                    "thinking_delta" => add(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => add(&mut block["signature"], &delta["signature"]),
                    "input_json_delta" => {
                        inputs.push_str(delta["partial_json"].as_str().unwrap());
                    }
                    other => panic!("{other}"),
                },
                ("message_delta", _) => stop = delta["stop_reason"].clone(),
                _ => {}
            }
        }
        blocks[2]["input"] = serde_json::from_str(&inputs).unwrap();
        assert_eq!(Value::Array(blocks), whole["content"]);
        assert_eq!(stop, whole["stop_reason"]);
        assert_eq!(stop, "tool_use");
    }

    #[test]
    fn only_deltas_are_slow() {
        for frame in frames("m-1", &answer()) {
            let is_delta = frame.bytes.starts_with(b"event: content_block_delta");
            assert_eq!(frame.pause, if is_delta { answer().token_pause } else { Duration::ZERO });
        }
    }
}
