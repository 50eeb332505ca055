//! Questions: the model receives the chosen options, in whichever shape the client sends them.

use serde_json::{Value, json};

use crate::support::{Frame, Script, Server, Session, tool};

fn question(text: &str, multi_select: bool) -> Value {
    let option = |label: &str| json!({"label": label, "description": label});
    json!({"question": text, "header": "Choice", "multiSelect": multi_select,
           "options": [option("Red"), option("Green"), option("Blue")]})
}

/// Makes the model ask two questions.
async fn asked(session: &mut Session) -> Frame {
    let questions = json!([question("Which color?", false), question("Which more?", true)]);
    let ask = tool("toolu_ask", "AskUserQuestion", &json!({"questions": questions}));
    session.say(Script::new(ask).then("Thanks.")).await;
    let request = session.until("ask_user_question").await;
    assert_eq!(request["correlation_id"], "toolu_ask");
    let told = &request["questions"]["questions"];
    assert_eq!(told[0]["question"], "Which color?");
    assert_eq!(told[1]["options"][2]["label"], "Blue");
    request
}

/// Sends the answers and returns what the model receives.
async fn answered(answers: Value) -> String {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session).await;
    let id = &request["correlation_id"];
    let answer = json!({"type": "question_response", "correlation_id": id, "answers": answers});
    session.put(&answer).await;
    session.until("result").await;

    let told = session.events.all("tool_result").last().unwrap();
    assert_eq!(told["is_error"], false);
    let told = told.str("output").to_owned();
    let resolved: Vec<_> = session.events.all("prompt_resolved").collect();
    assert_eq!(resolved.len(), 1);
    assert_eq!((&resolved[0]["kind"], &resolved[0]["outcome"]), (&json!("question"), &json!("answered")));
    assert_eq!(session.input(&answer).await.status, 409);
    session.close().await;
    told
}

#[tokio::test]
async fn answers_as_a_list_of_selected_options() {
    let told = answered(json!([
        {"question": "Which color?", "selectedOptions": ["Blue"]},
        {"question": "Which more?", "selectedOptions": ["Red", "Green"]},
    ]))
    .await;
    assert!(told.contains(r#""Which color?"="Blue""#), "{told}");
    assert!(told.contains(r#""Which more?"="Red, Green""#), "{told}");
}

#[tokio::test]
async fn answers_as_an_object_by_question() {
    let told = answered(json!({"Which color?": "Blue", "Which more?": ["Red", "Green"]})).await;
    assert!(told.contains(r#""Which color?"="Blue""#), "{told}");
    assert!(told.contains(r#""Which more?"="Red, Green""#), "{told}");
}

#[tokio::test]
async fn a_bad_answer_leaves_the_question_open() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session).await;
    let other = json!({"Which color?": "Red", "Color": "Red"});
    for answers in
        [json!("Blue"), json!(7), json!([{"question": 1}]), json!({"Which color?": 7}), json!({}), other]
    {
        let id = &request["correlation_id"];
        let bad = json!({"type": "question_response", "correlation_id": id, "answers": answers});
        let reply = session.input(&bad).await;
        assert_eq!(reply.status, 400, "{bad}");
        assert!(reply.detail().contains("answers"), "{}", reply.detail());
    }
    let state = session.client.get(&format!("/sessions/{}", session.id)).await.json();
    assert_eq!(state["pending"].as_array().unwrap().len(), 1);
    session.close().await;
}

#[tokio::test]
async fn a_question_may_be_declined() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session).await;
    session.deny(&request).await;
    session.until("result").await;
    assert_eq!(session.events.all("tool_result").last().unwrap()["is_error"], true);
    assert_eq!(session.events.all("prompt_resolved").next().unwrap()["outcome"], "answered");
    session.close().await;
}
