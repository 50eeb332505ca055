//! A fake `claude` CLI that writes token deltas as fast as possible.

use std::{
    io::{self, BufRead, Write},
    thread,
    time::Duration,
};

use agent_webkit_load::script::{Script, filler, stamp};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let Ok(frame) = serde_json::from_str::<Value>(&line?) else { continue };
        match frame["type"].as_str() {
            Some("control_request") => {
                let response = json!({
                    "subtype": "success", "request_id": frame["request_id"], "response": { "mcpServers": [] },
                });
                writeln!(out, "{}", json!({ "type": "control_response", "response": response }))?;
            }
            Some("user") => {
                let content = frame["message"]["content"].as_str().unwrap_or_default();
                if let Some(script) = Script::parse(content) {
                    turn(script, &frame["uuid"], &mut out)?;
                }
            }
            _ => {}
        }
        out.flush()?;
    }
    Ok(())
}

fn turn(script: Script, uuid: &Value, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, r#"{{"type":"system","subtype":"init","session_id":"s","permissionMode":"default"}}"#)?;
    let start = json!({ "type": "message_start", "message": { "id": "msg_1" } });
    writeln!(out, "{}", json!({ "type": "stream_event", "event": start }))?;
    match script {
        Script::Burst { events, bytes } => {
            let line = delta(&filler(bytes));
            (0..events).try_for_each(|_| out.write_all(line.as_bytes()))?;
        }
        Script::Trickle { events, pause } => {
            for _ in 0..events {
                thread::sleep(pause.max(Duration::from_micros(1)));
                out.write_all(delta(&stamp()).as_bytes())?;
                out.flush()?;
            }
        }
    }
    let end = json!({
        "type": "result", "subtype": "success", "session_id": "s", "total_cost_usd": 0.0,
        "user_message_uuids": [uuid],
    });
    writeln!(out, "{end}")
}

/// A delta with the members of the CLI's deltas.
fn delta(text: &str) -> String {
    let session = "5b181949-e7a5-4552-9814-74e14b23ec5d";
    let uuid = "0c2f9d2e-6a56-4f0a-8f0a-3d0b6f6f2b11";
    format!(
        concat!(
            r#"{{"type":"stream_event","event":{{"type":"content_block_delta","index":0,"#,
            r#""delta":{{"type":"text_delta","text":"{}"}}}},"session_id":"{}","#,
            r#""parent_tool_use_id":null,"uuid":"{}"}}"#,
            "\n"
        ),
        text, session, uuid
    )
}
