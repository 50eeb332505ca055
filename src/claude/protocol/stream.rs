//! Decodes `stream_event` frames, the pieces of messages. This is the hot path.

use std::{borrow::Cow, collections::HashMap};

use super::wire::{BlockDelta, DeltaFrame, Frame, Members, StreamEvent, Text, read, text};
use crate::proto::{AgentEvent, Delta};

/// The messages that are being written: at most one of the agent and one of each sub-agent.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    own: Option<Writing>,
    of_sub_agents: HashMap<String, Writing>,
}

/// A message that is being written.
#[derive(Debug)]
struct Writing {
    message_id: String,
    /// The tool calls of the message, each with the index of its block.
    calls: Vec<(u64, Call)>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
}

impl Streams {
    /// Decodes a frame. Returns `None` if clients do not need it.
    pub(crate) fn handle(&mut self, frame: &Frame<'_>) -> Option<AgentEvent> {
        let event: StreamEvent<'_> = frame.event.and_then(read)?;
        let parent = frame.parent_tool_use_id.and_then(text);
        match &*event.kind.0 {
            "content_block_delta" => self.delta(event.index, &read(event.delta?)?, parent),
            "content_block_start" => {
                let block = Members::of(event.content_block);
                if let (Some(id), Some(name)) = (block.text("id"), block.text("name")) {
                    let call = Call { id: id.into(), name: name.into() };
                    self.writing_mut(parent.as_deref())?.calls.push((event.index, call));
                }
                None
            }
            "message_start" => {
                let message_id = Members::of(event.message)
                    .text("id")
                    .or_else(|| frame.api_message_id.and_then(text))
                    .or_else(|| frame.uuid.and_then(text))?;
                let writing = Writing { message_id: message_id.into(), calls: Vec::new() };
                match parent {
                    Some(parent) => drop(self.of_sub_agents.insert(parent.into(), writing)),
                    None => self.own = Some(writing),
                }
                None
            }
            "message_delta" => {
                let message_id = self.writing(parent.as_deref())?.message_id.clone();
                let stop_reason = Members::of(event.delta).text("stop_reason").map(Into::into);
                Some(AgentEvent::MessageStopped { message_id, stop_reason })
            }
            "message_stop" => {
                match parent {
                    Some(parent) => drop(self.of_sub_agents.remove(&*parent)),
                    None => self.own = None,
                }
                None
            }
            _ => None,
        }
    }

    /// Decodes a delta.
    pub(crate) fn handle_delta(
        &self,
        DeltaFrame { event, parent_tool_use_id }: DeltaFrame<'_>,
    ) -> Option<AgentEvent> {
        self.delta(event.index, &event.delta, parent_tool_use_id.map(|Text(parent)| parent))
    }

    fn delta(&self, index: u64, delta: &BlockDelta<'_>, parent: Option<Cow<'_, str>>) -> Option<AgentEvent> {
        let writing = self.writing(parent.as_deref())?;
        Some(AgentEvent::Delta {
            message_id: writing.message_id.clone(),
            delta: writing.delta(index, delta)?,
            parent_tool_use_id: parent.map(Into::into),
        })
    }

    /// Returns the id of the message that is being written by the agent, or by this sub-agent.
    pub(crate) fn message_id(&self, parent: Option<&str>) -> Option<&str> {
        self.writing(parent).map(|writing| &*writing.message_id)
    }

    fn writing(&self, parent: Option<&str>) -> Option<&Writing> {
        match parent {
            Some(parent) => self.of_sub_agents.get(parent),
            None => self.own.as_ref(),
        }
    }

    fn writing_mut(&mut self, parent: Option<&str>) -> Option<&mut Writing> {
        match parent {
            Some(parent) => self.of_sub_agents.get_mut(parent),
            None => self.own.as_mut(),
        }
    }
}

impl Writing {
    fn delta(&self, index: u64, delta: &BlockDelta<'_>) -> Option<Delta> {
        match &*delta.kind.0 {
            "text_delta" => delta.text.map(|text| Delta::Text(text.to_owned())),
            "thinking_delta" => delta.thinking.map(|thinking| Delta::Thinking(thinking.to_owned())),
            "input_json_delta" => {
                let (_, call) = self.calls.iter().find(|(at, _)| *at == index)?;
                Some(Delta::InputJson {
                    tool_use_id: call.id.clone(),
                    name: call.name.clone(),
                    partial_json: delta.partial_json?.to_owned(),
                })
            }
            // Signatures and citations are relayed with the finished block.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Vec<String> {
        let mut streams = Streams::default();
        let frames = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        frames.filter_map(|frame| streams.handle(&frame)).map(|event| format!("{event:?}")).collect()
    }

    const START: &str = r#"{"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_1","content":[]}},"parent_tool_use_id":null,"uuid":"u1"}"#;

    #[test]
    fn text_belongs_to_the_message_that_was_started() {
        let told = told(&[
            START,
            r#"{"event":{"index":0,"delta":{"text":"a\n\"b","type":"text_delta"},"type":"content_block_delta"},"uuid":"u2","type":"stream_event"}"#,
            r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}}"#,
        ]);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("msg_1") && told[0].contains(r#"a\n\"b"#), "{told:?}");
    }

    #[test]
    fn input_belongs_to_the_call_at_its_index() {
        let told = told(&[
            START,
            r#"{"type":"stream_event","event":{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}}}"#,
            r#"{"type":"stream_event","event":{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"Read","input":{}}}}"#,
            r#"{"type":"stream_event","event":{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a"}}}"#,
            r#"{"type":"stream_event","event":{"type":"content_block_delta","index":7,"delta":{"type":"input_json_delta","partial_json":"{"}}}"#,
        ]);
        assert_eq!(told.len(), 1, "an index that never began tells nothing");
        assert!(told[0].contains("toolu_2") && told[0].contains("Read"), "{told:?}");
    }

    #[test]
    fn sub_agents_write_messages_of_their_own() {
        let told = told(&[
            START,
            r#"{"type":"stream_event","event":{"type":"message_start","message":{}},"parent_tool_use_id":"toolu_s","uuid":"u9"}"#,
            r#"{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":"end_turn"}},"parent_tool_use_id":"toolu_s"}"#,
            r#"{"type":"stream_event","event":{"type":"message_stop"},"parent_tool_use_id":"toolu_s"}"#,
            r#"{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":null}},"parent_tool_use_id":"toolu_s"}"#,
            r#"{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":null}},"parent_tool_use_id":null}"#,
        ]);
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("u9") && told[0].contains("end_turn"),
            "without an id, the frame's: {told:?}"
        );
        assert!(told[1].contains("msg_1") && told[1].contains("None"), "{told:?}");
    }
}
