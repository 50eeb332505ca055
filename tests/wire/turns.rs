//! Turns: messages, events, and cost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Frame, Script, Server, bash, eventually, tool};

/// An image of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn named<'a>(frames: &'a [Frame], event: &str) -> Vec<&'a Frame> {
    frames.iter().filter(|frame| frame.event == event).collect()
}

/// The text of all deltas.
fn streamed(frames: &[Frame]) -> String {
    named(frames, "message_delta").iter().filter_map(|frame| frame["delta"]["text"].as_str()).collect()
}

/// The content of the newest message.
fn content(frames: &[Frame]) -> &Value {
    &named(frames, "message_complete").last().expect("a message")["message"]["content"]
}

#[tokio::test]
async fn text_streams_completes_and_ends_in_a_result() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let id = session.id.clone();
    let turn = session.turn(format!("Speak. {}", Script::text("Hello wide world."))).await;

    let asked = named(&turn, "user_message")[0];
    assert!(asked.str("content").starts_with("Speak. <<"));
    assert_eq!(asked.str("message_uuid").len(), 36);

    assert_eq!(streamed(&turn), "Hello wide world.");
    let complete = named(&turn, "message_complete").pop().unwrap();
    assert_eq!(complete["message"]["content"], json!([{"type": "text", "text": "Hello wide world."}]));
    assert_eq!(complete["message"]["role"], "assistant");
    assert_eq!(complete["message"]["stop_reason"], "end_turn");
    assert!(complete["message"]["model"].is_string(), "{complete:?}");
    let message_id = complete.str("message_id");
    assert_eq!(complete["message"]["id"], message_id);
    for delta in named(&turn, "message_delta") {
        assert_eq!(delta["message_id"], message_id);
        assert_eq!(delta["delta"]["type"], "text");
    }

    let result = turn.last().unwrap();
    assert_eq!(result["subtype"], "success");
    assert_eq!(result["session_id"], id.as_str());
    assert!(result["usage"].is_object(), "the agent's further fields pass: {result:?}");

    let stream = session.close().await;
    let ids: Vec<_> = stream.seen.iter().filter_map(|frame| frame.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert_eq!(stream.seen[0].event, "session_ready");
    assert_eq!(stream.seen[0].data, json!({"session_id": id, "protocol_version": "1.0"}));
    assert_eq!(stream.seen.last().unwrap().data, json!({}));
}

#[tokio::test]
async fn the_blocks_of_a_message_add_up() {
    let server = Server::start().await;
    let (first, second) = (server.workspace().join("first.txt"), server.workspace().join("second.txt"));
    std::fs::write(&first, "one").unwrap();
    let script = Script::new(json!([
        {"think": "Two files."},
        "I read both.",
        tool("toolu_first", "Read", &json!({"file_path": first})),
        tool("toolu_second", "Read", &json!({"file_path": second})),
    ]))
    .then("Read.");

    let mut session = server.session().await;
    let turn = session.turn(script).await;

    let complete = named(&turn, "message_complete");
    let message_id = complete[0].str("message_id");
    let versions: Vec<_> = complete
        .iter()
        .filter(|frame| frame["message_id"] == message_id)
        .map(|frame| frame["message"]["content"].as_array().unwrap())
        .collect();
    for pair in versions.windows(2) {
        assert!(pair[1].starts_with(pair[0]), "{pair:?}");
    }
    let blocks = *versions.last().unwrap();
    let types: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(blocks[0]["thinking"], "Two files.");
    assert_eq!(blocks[2]["input"], json!({"file_path": first}));

    let calls = named(&turn, "tool_use");
    let ids: Vec<_> = calls.iter().map(|call| call.str("tool_use_id")).collect();
    assert_eq!(ids, ["toolu_first", "toolu_second"], "each call is told once");
    assert_eq!(calls[0]["message_id"], message_id);
    assert_eq!(calls[0]["tool_name"], "Read");
    assert_eq!(calls[0]["input"], json!({"file_path": first}));

    let result = |id: &str| {
        let results = named(&turn, "tool_result");
        let mut of_this = results.into_iter().filter(|frame| frame["tool_use_id"] == id);
        let result = of_this.next().unwrap_or_else(|| panic!("no result of {id}"));
        assert!(of_this.next().is_none(), "two results of {id}");
        result.clone()
    };
    assert_eq!(result("toolu_first")["is_error"], false);
    assert!(result("toolu_first")["output"].to_string().contains("one"));
    assert_eq!(result("toolu_second")["is_error"], true, "there is no such file");
    assert_eq!(content(&turn), &json!([{"type": "text", "text": "Read."}]));

    let deltas = named(&turn, "message_delta");
    let thinking: Vec<_> = deltas.iter().filter(|frame| frame["delta"]["type"] == "thinking").collect();
    assert_eq!(thinking[0]["delta"]["thinking"], "Two files.");
    let pieces = deltas.iter().filter(|frame| frame["delta"]["tool_use_id"] == "toolu_first");
    let input: String = pieces
        .inspect(|frame| assert_eq!(frame["delta"]["name"], "Read"))
        .inspect(|frame| assert_eq!(frame["delta"]["type"], "input_json_delta"))
        .filter_map(|frame| frame["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), json!({"file_path": first}));
    session.close().await;
}

#[tokio::test]
async fn each_result_tells_its_own_cost_and_the_sessions() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let mut sum = 0.0;
    for _ in 0..3 {
        let result = session.turn("again").await.pop().unwrap();
        let cost = result["total_cost_usd"].as_f64().unwrap();
        assert!(cost > 0.0);
        sum += cost;
        let session_cost = result["session_cost_usd"].as_f64().unwrap();
        assert!((session_cost - sum).abs() < 1e-9, "{session_cost} after {sum}");
    }
    session.close().await;
}

#[tokio::test]
async fn queued_messages_are_turns_of_their_own() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(20, 20)).await;
    session.say("second").await;
    session.say("third").await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let before = session.events.seen.len();
        session.until("result").await;
        answers.push(content(&session.events.seen[before..])[0]["text"].clone());
    }
    assert_eq!(answers[1..], ["You said: second", "You said: third"]);
    session.close().await;
}

#[tokio::test]
async fn pictures_reach_the_model() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let picture =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}});
    let text = json!({"type": "text", "text": Script::text("ECHO_IMAGES").to_string()});
    let turn = session.turn(json!([picture, picture, text])).await;
    assert_eq!(content(&turn)[0]["text"], "2");
    assert_eq!(named(&turn, "user_message")[0]["content"][0], picture);
    session.close().await;
}

#[tokio::test]
async fn a_prompt_of_three_megabytes_arrives_whole() {
    // Without this the CLI refuses a prompt of this length as too long for the model.
    let server = Server::builder().env("CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE", "100000000").start().await;
    let mut session = server.session().await;
    let line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    let prompt = format!("{}{}", line.repeat(3 * 1024 * 1024 / line.len()), Script::text("ECHO_HISTORY"));
    let turn = session.turn(prompt.clone()).await;
    let answer = content(&turn)[0]["text"].as_str().unwrap();
    assert!(answer.contains(&prompt), "{} bytes of {}", answer.len(), prompt.len());
    assert_eq!(named(&turn, "user_message")[0]["content"], prompt);
    session.close().await;
}

#[tokio::test]
async fn an_answer_of_two_megabytes_arrives_whole() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let text = "0123456789abcde ".repeat(64);
    let turn = session.turn(Script::new(json!({"text": text, "times": 2048}))).await;
    let answer = content(&turn)[0]["text"].as_str().unwrap();
    assert_eq!(answer.len(), 2 * 1024 * 1024);
    assert!(answer == text.repeat(2048), "another text of that length");
    assert!(streamed(&turn) == answer, "the deltas tell another text");
    session.close().await;
}

#[tokio::test]
async fn another_model_answers_from_the_next_message_on() {
    let server = Server::start().await;
    let mut session = server.session_with(&json!({"model": "claude-sonnet-4-5"})).await;
    let asked = |turn: Vec<Frame>| content(&turn)[0]["text"].as_str().unwrap().to_owned();
    let model = || Script::text("ECHO_MODEL");

    assert_eq!(asked(session.turn(model()).await), "claude-sonnet-4-5");
    session.put(&json!({"type": "set_model", "model": "claude-haiku-4-5"})).await;
    assert_eq!(asked(session.turn(model()).await), "claude-haiku-4-5");
    session.put(&json!({"type": "set_model", "model": null})).await;
    assert_ne!(asked(session.turn(model()).await), "claude-haiku-4-5");
    session.close().await;
}

#[tokio::test]
async fn an_error_of_the_api_ends_the_turn_and_not_the_session() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let bad = json!({"status": 400, "error": "invalid_request_error"});
    let result = session.turn(Script::new(bad)).await.pop().unwrap();
    assert_eq!(result["is_error"], true);

    let turn = session.turn("still there?").await;
    assert_eq!(content(&turn)[0]["text"], "You said: still there?");
    session.close().await;
}

#[tokio::test]
async fn a_retry_is_told() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::new(json!({"status": 529, "error": "overloaded_error"}))).await;
    let retry = session.until("status").await;
    assert_eq!((&retry["status"], &retry["attempt"]), (&json!("retrying"), &json!(1)));
    session.interrupt().await;
    session.until("result").await;
    session.close().await;
}

#[tokio::test]
async fn several_tools_of_one_message_ask_one_by_one() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let both = json!([bash("toolu_a", "touch a"), bash("toolu_b", "touch b")]);
    session.say(Script::new(both).then("Both made.")).await;
    for id in ["toolu_a", "toolu_b"] {
        let request = session.until("permission_request").await;
        assert_eq!(request["correlation_id"], id);
        session.allow(&request).await;
    }
    session.until("result").await;
    assert!(server.workspace().join("a").exists() && server.workspace().join("b").exists());
    session.close().await;
}

#[tokio::test]
async fn pieces_are_joined_while_nobody_reads_and_live_again_with_the_first_reader() {
    let holds = Server::builder()
        .env("CLAUDE_CODE_STREAM_EVENT_HOLD_MS", "1")
        .env("CLAUDE_CODE_STREAM_EVENT_NO_SUBSCRIBER_HOLD_MS", "1000");
    let server = holds.start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    let say = async |words| {
        let message = json!({"type": "user_message", "content": Script::slow(words, 10)});
        assert_eq!(client.input(&id, &message).await.status, 204);
    };
    let whole = |words: usize| (0..words).map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ");

    say(200).await;
    let is_over = async || {
        let session = client.get(&format!("/sessions/{id}")).await.json();
        session["status"] == "idle" && session["as_of_seq"].as_u64() > Some(3)
    };
    eventually("the turn ends", is_over).await;
    let mut reader = client.events(&id).await;
    reader.until("result").await;
    assert_eq!(streamed(&reader.seen), whole(200));
    let joined = named(&reader.seen, "message_delta").len();
    assert!((2..50).contains(&joined), "200 words came in {joined} pieces");
    let last = reader.last_id();
    drop(reader);

    say(600).await;
    // A reader that has left is expected back for two seconds; after them the agent holds its pieces for one.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut late = client.events_after(&id, last).await;
    late.until("result").await;
    assert_eq!(streamed(&late.seen), whole(600));
    let pieces = named(&late.seen, "message_delta");
    let words =
        |piece: &Frame| piece["delta"]["text"].as_str().map_or(0, |text| text.split_whitespace().count());
    let lengths: Vec<_> = pieces.iter().map(|piece| words(piece)).collect();
    let joined = lengths.iter().rposition(|words| *words > 40).expect("pieces that were joined");
    let live = lengths.len() - joined;
    assert!(live > 50, "{live} pieces came after the last that was joined: {lengths:?}");
}
