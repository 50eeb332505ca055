//! Prompts that outlive the agent which asked them: the server is killed or restarted, or the agent hibernates.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Builder, Frame, Script, Server, bash, eventually, processes::agent_of, tool},
};

/// Kills per database; each kind of answer comes twice. `PROMPT_KILLS` sets another number.
const KILLS: usize = 8;

on_both! { a_prompt_survives_kill_9, a_prompt_lets_its_agent_go, a_prompt_survives_a_restart }

/// A file to which the command of a prompt appends, and the session's prompt.
struct Asked {
    file: PathBuf,
    request: Frame,
}

impl Asked {
    /// Has the agent ask to append `original` to a file.
    async fn new(server: &Server, reader: &mut Reader, name: &str) -> Self {
        let file = server.workspace().join(name);
        let call = bash(&format!("toolu_{name}"), &format!("echo original >> {name}"));
        let script = Script::new(call).then("done");
        reader.say(name, script.to_string()).await;
        Self { file, request: reader.until("permission_request").await }
    }

    fn answer(&self, rest: &Value) -> Value {
        let mut answer = json!({"type": "permission_response",
            "correlation_id": self.request.str("correlation_id")});
        answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        answer
    }

    fn written(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }
}

async fn a_prompt_survives_kill_9(place: Place) {
    let mut server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    let kills = std::env::var("PROMPT_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    for round in 0..kills {
        let asked = Asked::new(&server, &mut reader, &format!("kill-{round}")).await;
        server = server.kill().start().await;
        if round % 4 == 3 {
            server = server.kill().start().await;
        }
        let path = format!("/sessions/{}", reader.id);
        // On Postgres the killed server's lease has to expire.
        eventually("the list", async || {
            server.client().get("/sessions").await.json()["sessions"][0]["status"] == "requires_action"
        })
        .await;
        eventually("the session is here", async || server.client().get(&path).await.status == 200).await;
        let state = server.client().get(&path).await.json();
        assert_eq!(state["status"], "requires_action", "{state}");
        assert_eq!(state["pending"][0]["correlation_id"], asked.request["correlation_id"], "{state}");
        assert!(agent_of(&reader.id).is_empty(), "no agent is needed until somebody answers");

        let edited = json!({"command": format!("echo edited >> kill-{round}")});
        let (answer, written) = match round % 4 {
            0 => (json!({"behavior": "allow"}), "original\n"),
            1 => (json!({"behavior": "allow", "updated_input": edited}), "edited\n"),
            2 => (json!({"behavior": "deny", "message": "Not this heliotrope."}), ""),
            _ => (json!({"behavior": "allow"}), "original\n"),
        };
        let answer = asked.answer(&answer);
        assert_eq!(server.client().input(&reader.id, &answer).await.status, 204);
        assert_eq!(server.client().input(&reader.id, &answer).await.status, 409, "the first answer wins");
        let resolved = reader.until("prompt_resolved").await;
        assert_eq!(resolved["outcome"], "answered", "{resolved:?}");
        let tool = reader.until("tool_result").await;
        assert_eq!(tool["is_error"], json!(written.is_empty()), "{tool:?}");
        assert_eq!(
            tool["output"].to_string().contains("Not this heliotrope."),
            written.is_empty(),
            "{tool:?}"
        );
        let result = reader.until("result").await;
        assert_eq!(result["subtype"], "success", "{result:?}");
        assert_eq!(asked.written(), written, "it ran exactly once");
    }
    let prompts = |event: &str| reader.shown.iter().filter(|frame| frame.event == event).count();
    assert_eq!((prompts("permission_request"), prompts("prompt_resolved")), (kills, kills));
    reader.replays().await;
}

async fn a_prompt_lets_its_agent_go(place: Place) {
    lets_its_agent_go(place.server()).await;
}

#[tokio::test]
async fn a_prompt_lets_its_agent_go_in_memory() {
    lets_its_agent_go(Server::builder().option("--store", "memory")).await;
}

async fn lets_its_agent_go(builder: Builder) {
    let server = builder.option("--hibernate-after", "1s").start().await;
    let mut reader = Reader::create(server.client()).await;
    for round in 0..2 {
        let asked = Asked::new(&server, &mut reader, &format!("sleep-{round}")).await;
        assert_eq!(reader.until("status").await["status"], "hibernating");
        eventually("the end of the agent", async || agent_of(&reader.id).is_empty()).await;
        let state = server.client().get(&format!("/sessions/{}", reader.id)).await.json();
        assert_eq!(state["status"], "requires_action", "{state}");
        // A message that comes meanwhile waits for the end of the turn.
        reader.say(&format!("later-{round}"), "Another message.").await;
        let allow = asked.answer(&json!({"behavior": "allow"}));
        assert_eq!(server.client().input(&reader.id, &allow).await.status, 204);
        reader.until("result").await;
        assert_eq!(asked.written(), "original\n");
        assert_eq!(reader.until("result").await["subtype"], "success");
        assert_eq!(reader.until("status").await["status"], "hibernating");
    }
    reader.replays().await;
}

async fn a_prompt_survives_a_restart(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    let question = json!({"questions": [{"question": "Which?", "header": "Which", "multiSelect": false,
        "options": [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]}]});
    let script = Script::new(tool("toolu_q", "AskUserQuestion", &question)).then("Thanks.");
    reader.say("ask", script.to_string()).await;
    let asked = reader.until("ask_user_question").await;
    let server = server.stop().start().await;
    let answer = json!({"type": "question_response", "correlation_id": asked["correlation_id"],
        "answers": {"Which?": "Blue"}});
    assert_eq!(server.client().input(&reader.id, &answer).await.status, 204);
    let tool = reader.until("tool_result").await;
    assert!(tool["output"].to_string().contains("Blue"), "{tool:?}");
    assert_eq!(reader.until("result").await["subtype"], "success");
    reader.replays().await;
}
