//! Components of a user interface that the agent shows.

use http::Method;
use serde_json::json;

use crate::support::{Script, Server, tool};

#[tokio::test]
async fn components_of_a_file_are_told_to_clients_and_shown_without_asking() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("genui.json");
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let card = json!({"name": "weather_card", "description": "A card with the weather.", "schema": schema});
    std::fs::write(&file, json!({"components": [card]}).to_string()).unwrap();
    let server = Server::builder().option("--genui", &file).start().await;
    let told = server.client().with_token(None).get("/genui/schema").await;
    assert_eq!(told.status, 200);
    let expected = json!({"name": "mcp__genui__render_weather_card", "short_name": "weather_card",
        "raw_tool_name": "render_weather_card", "description": "A card with the weather.", "schema": schema});
    let expected =
        json!({"version": "1.0", "server_name": "genui", "prefix": "render_", "tools": [expected]});
    assert_eq!(told.json(), expected);

    let mut session = server.session().await;
    let input = json!({"city": "Paris"});
    session.say(Script::new(tool("toolu_c", "mcp__genui__render_weather_card", &input)).then("done")).await;
    let result = session.until("tool_result").await;
    assert_eq!(result["output"], json!([{"type": "text", "text": "rendered:weather_card"}]));
    session.until("result").await;
    let frames = &session.events.seen;
    assert!(frames.iter().all(|frame| frame.event != "permission_request"));
    let call = frames.iter().find(|frame| frame.event == "tool_use").unwrap();
    assert_eq!((&call["tool_name"], &call["input"]), (&json!("mcp__genui__render_weather_card"), &input));
    let pieces = frames.iter().filter(|frame| frame["delta"]["type"] == "input_json_delta");
    let pieces: String =
        pieces.map(|frame| frame["delta"]["partial_json"].as_str().unwrap().to_owned()).collect();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pieces).unwrap(), input);
    session.close().await;
}

#[tokio::test]
async fn without_components_there_is_no_schema() {
    let server = Server::start().await;
    let client = server.client();
    for client in [client.clone(), client.with_token(None)] {
        assert_eq!(client.ask(Method::GET, "/genui/schema", &[], "").await.status, 404);
    }
}
