//! The examples as processes, with the real CLI where they have an agent.

use std::{env, ffi::OsString, process::Stdio, time::Duration};

use http::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::json;

use crate::{
    grpc::{origin, over_grpc, over_grpc_web},
    host::Http,
    support::{Client, Events, PATIENCE, Script, Server, TOKEN, bash, claude, tool},
};

/// Maximum time for an example to end, even with open streams.
const END: Duration = Duration::from_secs(15);

/// Checks a session with a real agent: a turn with a prompt, a reader that resumes, and a stream that is open
/// when the process ends.
async fn serves_a_session_and_ends_gracefully(server: Server) {
    let mut session = server.session().await;
    let script = Script::new(json!(["I will make it.", bash("toolu_1", "touch made")])).then("Done.");
    session.say(script).await;
    let request = session.until("permission_request").await;
    let asked = session.events.last_id();
    session.allow(&request).await;
    assert_eq!(session.until("tool_result").await["is_error"], false);
    assert_eq!(session.until("result").await["subtype"], "success");
    assert!(server.workspace().join("made").exists());

    let mut resumed = server.http2().events_after(&session.id, asked).await;
    resumed.until("result").await;
    let later = session.events.seen.iter().filter(|frame| frame.id.is_some_and(|id| id > asked));
    assert_eq!(resumed.numbered_bytes(), later.flat_map(|frame| frame.raw.clone()).collect::<Vec<_>>());

    // The stream ends with `done` if the session ends with the process, and without it if the session is
    // stored.
    server.signal(Signal::TERM);
    for events in [&mut session.events, &mut resumed] {
        events.rest().await;
    }
    ends_well(server).await;
}

/// Waits for the end of the process. The clients' connections run on meanwhile, so that they see it.
async fn ends_well(mut server: Server) {
    tokio::task::spawn_blocking(move || {
        let status = server.wait(END).expect("it ends in time");
        assert_eq!(status.code(), Some(0), "{}", server.log());
    })
    .await
    .expect("it ended well");
}

#[tokio::test]
async fn an_example_that_lets_everybody_in_stays_on_loopback() {
    for name in ["axum", "bare_hyper", "tonic_web", "embedded_state", "custom_agent"] {
        let open = Server::example(name).no_token().env("AGENT_WEBKIT_NO_AUTH", "1").env("ADDR", "0.0.0.0:0");
        let (status, said) = open.fails().await;
        assert!(!status.success() && said.contains("loopback"), "{name}: {said}");
    }
}

#[tokio::test]
async fn axum() {
    serves_a_session_and_ends_gracefully(Server::example("axum").start().await).await;
}

#[tokio::test]
async fn bare_hyper() {
    serves_a_session_and_ends_gracefully(Server::example("bare_hyper").start().await).await;
}

#[tokio::test]
async fn tonic_web() {
    let server = Server::example("tonic_web").start().await;
    let mut session = server.session().await;
    session.until("session_state").await;
    let origin = origin(server.url());
    assert_eq!(over_grpc(origin.clone(), "ada").await.unwrap(), "hello ada");
    assert_eq!(over_grpc_web(origin, Http::One, "ada").await.unwrap(), "hello ada");
    session.close().await;
    serves_a_session_and_ends_gracefully(server).await;
}

#[tokio::test]
async fn embedded_state() {
    let server = Server::example("embedded_state").start().await;
    let application = Client::new(server.url().trim_end_matches("/agents"), Some(TOKEN));
    let stranger = application.with_token(None);
    assert_eq!(stranger.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.get("/agents/sessions").await.status, StatusCode::UNAUTHORIZED);

    let mut session = server.session().await;
    session.until("session_state").await;
    let me = application.get("/me").await;
    let me = str::from_utf8(&me.body).unwrap();
    let (name, sessions) = me.split_once('\n').unwrap();
    assert_eq!(sessions.trim(), session.id);
    let metrics = async || String::from_utf8(stranger.get("/metrics").await.body.to_vec()).unwrap();
    let wanted = format!("requests_total{{principal=\"{name}\"}} 3\nstreams 1\nsessions 1\n");
    assert_eq!(metrics().await, wanted);
    session.close().await;
    assert!(metrics().await.ends_with("streams 0\nsessions 0\n"));
    serves_a_session_and_ends_gracefully(server).await;
}

#[tokio::test]
async fn custom_agent() {
    let server = Server::example("custom_agent").start().await;
    let mut session = server.session().await;
    for (reply, complete) in [("allow", 1), ("deny", 0)] {
        session.say("say it again").await;
        let request = session.until("permission_request").await;
        assert_eq!(request["input"], json!({"words": "say it again"}));
        let before = session.events.seen.len();
        if reply == "allow" {
            session.allow(&request).await;
        } else {
            session.deny(&request).await;
        }
        session.until("result").await;
        let said = &session.events.seen[before..];
        let deltas = said.iter().filter(|frame| frame.event == "message_delta").count();
        let messages: Vec<_> = said.iter().filter(|frame| frame.event == "message_complete").collect();
        assert_eq!((deltas, messages.len()), (3 * complete, complete), "{reply}");
        for message in messages {
            assert_eq!(message["message"]["content"][0]["text"], "say it again");
        }
    }
    session.say("never mind").await;
    session.until("permission_request").await;
    session.interrupt().await;
    assert_eq!(session.until("prompt_resolved").await["outcome"], "cancelled");
    session.until("result").await;
    let refused = session.input(&json!({"type": "set_model", "model": "other"})).await;
    assert_eq!((refused.status.as_u16(), refused.detail().as_str()), (400, "an echo has nothing to set"));

    server.signal(Signal::INT);
    assert_eq!(session.events.rest().await.last().unwrap().event, "done");
    ends_well(server).await;
}

/// Runs an example that ends by itself. Returns what it prints, and what is in its workspace then.
async fn output(name: &str, args: &[&str], env: &[(&str, OsString)]) -> String {
    let recipe = Server::example(name);
    let workspace = recipe.dir("workspace");
    let mut command = tokio::process::Command::from(recipe.command());
    command.args(args).envs(env.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
    let output =
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("its output");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let made =
        std::fs::read_dir(&workspace).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    format!("{}{made:?}", String::from_utf8_lossy(&output.stdout))
}

/// Runs an example that finds the CLI on its `PATH`, with this script as the prompt.
async fn asked(name: &str, script: Script) -> String {
    let (claude, path) = (claude(), env::var_os("PATH").unwrap());
    let folder = claude.parent().unwrap().to_owned();
    let path = env::join_paths([folder].into_iter().chain(env::split_paths(&path))).unwrap();
    output(name, &[&script.to_string()], &[("PATH", path)]).await
}

#[tokio::test]
async fn tools() {
    let price = |id: &str, name: &str| tool(id, "mcp__shop__price", &json!({"name": name}));
    let script = Script::new(price("toolu_1", "pear")).then(price("toolu_2", "plum")).then("They are cheap.");
    let said = asked("tools", script).await;
    assert!(said.contains("40 cents") && said.contains("There is no plum in the shop."), "{said}");
    assert!(said.contains("They are cheap."), "{said}");
}

#[tokio::test]
async fn policy() {
    let script = Script::new(bash("toolu_1", "touch tidy")).then(bash("toolu_2", "rm tidy"));
    let said = asked("policy", script.then(bash("toolu_3", "mkdir more")).then("Done.")).await;
    let lines: Vec<_> = said.lines().collect();
    let asked = "you are asked for {\"command\":\"mkdir more\"}";
    assert_eq!(lines[..4], ["policy: allow", "policy: deny", asked, "you: allow"], "{said}");
    assert!(lines[4].contains("tidy") && lines[4].contains("more"), "{said}");
}

#[tokio::test]
async fn genui() {
    let card = json!({"city": "Paris", "temperature": 21.5});
    let script = Script::new(tool("toolu_1", "mcp__genui__render_weather_card", &card)).then("Enjoy it.");
    let said = asked("genui", script).await;
    assert!(said.starts_with("{") && said.contains("A card with the weather of a city."), "{said}");
    assert!(said.contains("+ Paris: 21.5 degrees\n"), "{said}");
}

#[tokio::test]
async fn session() {
    let script = Script::new(json!(["I will make it.", bash("toolu_1", "touch made")])).then("It is done.");
    let said = asked("session", script).await;
    assert!(said.contains("I will make it.") && said.contains("It is done."), "{said}");
    assert!(said.contains("made\""), "what it asked for was allowed: {said}");
}

#[tokio::test]
async fn test_without_cli() {
    assert!(output("test_without_cli", &[], &[]).await.starts_with("the rule holds\n"));
}

#[tokio::test]
async fn gateway() {
    let server = Server::example("gateway").env("TOKENS", format!("ada={TOKEN},bob=another")).start().await;
    let ada = Client::new(server.url().trim_end_matches("/answers"), Some(TOKEN));
    let ask = async |script: Script| {
        let message = json!({"role": "user", "content": script.to_string()});
        let question = json!({"model": "m-1", "stream": true, "messages": [message]});
        let kept = ada.post("/answers", question.to_string()).await;
        assert_eq!(kept.status, 201, "{kept:?}");
        kept.header("location").unwrap().to_owned()
    };
    let read = async |path: &str, last: &str| {
        let response = ada.send(Method::GET, path, &[("last-event-id", last)], "").await;
        assert_eq!(response.status(), 200);
        Events::new(response.into_body())
    };

    let answer = ask(Script::text("one two three")).await;
    assert_eq!(ada.with_token(None).get(&answer).await.status, 401);
    assert_eq!(ada.with_token(Some("another")).get(&answer).await.status, 404, "it is Ada's answer");
    assert_eq!(ada.get("/answers/none").await.status, 404);
    let mut whole = read(&answer, "").await;
    whole.rest().await;
    let last = whole.last_id();
    assert_eq!(whole.seen.last().unwrap().event, "message_stop");
    let mut rest = read(&answer, "3").await;
    assert_eq!(rest.rest().await, &whole.seen[3..]);
    let ahead = ada.ask(Method::GET, &answer, &[("last-event-id", &(last + 1).to_string())], "").await;
    assert_eq!(ahead.status, 412);

    let endless = ask(Script::new(json!({"hang": 3600}))).await;
    let mut open = read(&endless, "").await;
    assert_eq!(open.next().await.unwrap().event, "message_start");
    server.signal(Signal::TERM);
    let end = open.rest().await.last().unwrap();
    assert_eq!((end.event.as_str(), end.str("code")), ("error", "recording_stopped"));
    ends_well(server).await;
}

#[tokio::test]
async fn shards() {
    let server = Server::example("shards").start().await;
    let client = Client::new(server.url(), None);
    for counter in 0..6 {
        let response = client.send(Method::GET, &format!("/counters/{counter}"), &[], "").await;
        assert_eq!(response.headers()["x-host"], *(counter % 3).to_string());
        let mut events = Events::new(response.into_body());
        for number in 1..=2 {
            assert_eq!(events.next().await.unwrap().data, number);
        }
    }
    assert_eq!(client.get("/counters/x").await.status, 404);
    server.signal(Signal::TERM);
    ends_well(server).await;
}
