//! Tools in this process, called by the real CLI.
#![cfg(feature = "tools")]

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use agent_webkit::{
    genui::GenUi,
    proto::{AgentCommand, AgentEvent},
    tools::{Permission, Tool, ToolCall, ToolOutput, Tools},
};
use serde_json::{Value, json};
use support::{
    Agent, Machine, member,
    script::{Script, tool},
};
use tokio::sync::{Notify, mpsc};
use tower::{ServiceBuilder, service_fn};

/// What the tools of these tests take.
#[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
struct City {
    /// The name of the city.
    name: String,
}

/// A machine whose agents have these tools, of a server `city`.
async fn machine(tools: Tools) -> Machine {
    Machine::new().await.with(|claude| claude.tools("city", tools))
}

fn call(id: &str, name: &str, input: &Value) -> Value {
    tool(id, &format!("mcp__city__{name}"), input)
}

/// A tool without limits that returns what `answer` returns.
fn answers<F>(answer: impl Fn(ToolCall<City>) -> F + Clone + Send + Sync + 'static) -> Tool
where
    F: Future<Output = ToolOutput> + Send + 'static,
{
    let service = service_fn(move |call| {
        let answer = answer(call);
        async { Ok::<_, Infallible>(answer.await) }
    });
    Tool::new("weather", "Returns the weather of a city.", service)
}

async fn paris(agent: &Agent) {
    agent.say(Script::new(call("toolu_w", "weather", &json!({"name": "Paris"}))).then("done")).await;
}

#[tokio::test]
async fn the_model_gets_texts_and_images_and_the_call_knows_whose_it_is() {
    let (heard, mut calls) = mpsc::unbounded_channel();
    let weather = answers(move |call| {
        heard.send(call.clone().map(|city| city.name)).unwrap();
        async { ToolOutput::text("sunny").and_image("image/png", PIXEL) }
    });
    let machine = machine(Tools::new().tool(weather)).await;
    let mut spec = machine.spec();
    spec.owner = Some("ada".into());
    let session_id = spec.session_id.clone();
    let mut agent = machine.start(spec).await;
    paris(&agent).await;

    let ask = agent.ask().await;
    assert_eq!((&*ask.name, ask.input.get()), ("mcp__city__weather", r#"{"name":"Paris"}"#));
    agent.allow(&ask).await;
    let (output, is_error) = agent.tool_result("toolu_w").await;
    assert!(!is_error && output.contains("sunny") && output.contains("image/png"), "{output}");
    agent.turn_end().await;
    let call = calls.recv().await.unwrap();
    assert_eq!((&*call.input, &*call.session_id, &*call.tool_use_id), ("Paris", &*session_id, "toolu_w"));
    assert_eq!(call.principal.as_deref(), Some("ada"));
    agent.close().await;
}

/// A PNG of one pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xdac\x64\x60\xf8_\x0f\0\x02\x87\x01\x80\xeb\x47\xba\x92\0\0\0\0IEND\xaeB`\x82";

#[tokio::test]
async fn what_goes_wrong_is_an_error_that_the_model_reads() {
    let fails =
        service_fn(async |_: ToolCall<City>| Err::<ToolOutput, _>(std::io::Error::other("no such city")));
    let hangs =
        service_fn(async |_: ToolCall<City>| std::future::pending::<Result<ToolOutput, Infallible>>().await);
    let slow = ServiceBuilder::new().timeout(Duration::from_millis(50)).service(hangs);
    let panics =
        service_fn(async |_: ToolCall<City>| -> Result<ToolOutput, Infallible> { panic!("a mistake") });
    let refuses = answers(async |_| ToolOutput::error("it is a secret"));
    let allow = |tool: Tool| tool.permission(Permission::Allow);
    let tools = Tools::new()
        .tool(allow(Tool::new("fails", "", fails)))
        .tool(allow(Tool::new("slow", "", slow)))
        .tool(allow(Tool::new("panics", "", panics)))
        .tool(allow(refuses));
    let machine = machine(tools).await;
    let mut agent = machine.agent().await;
    let paris = json!({"name": "Paris"});
    for (name, input, expected) in [
        ("fails", &paris, "no such city"),
        ("slow", &paris, "request timed out"),
        ("panics", &paris, "The tool failed with a panic."),
        ("weather", &paris, "it is a secret"),
        ("weather", &json!({"name": 5}), "expected a string"),
        ("weather", &json!({}), "missing field `name`"),
    ] {
        agent.say(Script::new(call("toolu_e", name, input)).then("done")).await;
        let (output, is_error) = agent.tool_result("toolu_e").await;
        assert!(is_error && output.contains(expected), "{name}: {output}");
        assert_eq!(agent.turn_end().await.subtype, "success");
    }
    assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Ask(_))), "nothing was asked");
    agent.close().await;
}

#[tokio::test]
async fn a_tool_that_is_denied_is_not_called() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let weather = answers(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { ToolOutput::text("sunny") }
    });
    let machine = machine(Tools::new().tool(weather.permission(Permission::Deny))).await;
    let mut agent = machine.agent().await;
    paris(&agent).await;
    let (output, is_error) = agent.tool_result("toolu_w").await;
    assert!(is_error, "{output}");
    agent.turn_end().await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Ask(_))), "nothing was asked");
    agent.close().await;
}

#[tokio::test]
async fn progress_is_told_while_the_call_runs() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let weather = answers(move |call| {
        let wait = Arc::clone(&wait);
        async move {
            call.progress(1.0, Some(4.0), Some("asking \"the\" sky\n"));
            wait.notified().await;
            call.progress(2.0, None, None);
            ToolOutput::text("sunny")
        }
    });
    let machine = machine(Tools::new().tool(weather.permission(Permission::Allow))).await;
    let mut agent = machine.agent().await;
    paris(&agent).await;
    let reported = |event: &AgentEvent| match event {
        AgentEvent::Status { status, extra } if status == "tool_progress" => Some(extra.clone()),
        _ => None,
    };
    let first = agent.until(reported).await;
    let first = ["tool_use_id", "progress", "total", "message"].map(|name| member(&first, name).to_owned());
    assert_eq!(first, [r#""toolu_w""#, "1.0", "4.0", r#""asking \"the\" sky\n""#]);
    go.notify_one();
    assert_eq!(member(&agent.until(reported).await, "progress"), "2.0");
    assert!(!agent.tool_result("toolu_w").await.1);
    agent.turn_end().await;
    agent.close().await;
}

#[tokio::test]
async fn an_interrupt_and_the_end_of_the_agent_cancel_a_call() {
    let (heard, mut calls) = mpsc::unbounded_channel();
    let weather = answers(move |call| {
        heard.send(call.clone()).unwrap();
        std::future::pending()
    });
    let machine = machine(Tools::new().tool(weather.permission(Permission::Allow))).await;
    let mut agent = machine.agent().await;
    paris(&agent).await;
    let call = calls.recv().await.unwrap();
    assert!(!call.is_cancelled());
    agent.command(AgentCommand::Interrupt).await;
    call.cancelled().await;
    assert_eq!(agent.turn_end().await.subtype, "error_during_execution");

    paris(&agent).await;
    let call = calls.recv().await.unwrap();
    support::kill(machine.cli());
    call.cancelled().await;
    agent.exited().await;
}

#[tokio::test]
async fn calls_of_one_message_run_together_up_to_the_limit() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (entered, mut enters) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let weather = service_fn({
        let (running, most, go) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&go));
        move |call: ToolCall<City>| {
            let (running, most, go, entered) =
                (Arc::clone(&running), Arc::clone(&most), Arc::clone(&go), entered.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                entered.send(call.tool_use_id.clone()).unwrap();
                go.notified().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Infallible>(ToolOutput::text(call.input.name))
            }
        }
    });
    let weather = ServiceBuilder::new().concurrency_limit(2).service(weather);
    let weather = Tool::new("weather", "Returns the weather of a city.", weather);
    let machine = machine(Tools::new().tool(weather.permission(Permission::Allow).read_only())).await;
    let mut agent = machine.agent().await;
    let ids = ["toolu_1", "toolu_2", "toolu_3"];
    let calls: Vec<_> = ids.iter().map(|id| call(id, "weather", &json!({"name": id}))).collect();
    agent.say(Script::new(json!(calls)).then("done")).await;
    for _ in 0..2 {
        enters.recv().await.unwrap();
    }
    assert!(enters.try_recv().is_err(), "the third waits for the limit");
    go.notify_one();
    enters.recv().await.unwrap();
    go.notify_one();
    go.notify_one();
    for id in ids {
        let result = |event: &AgentEvent| match event {
            AgentEvent::ToolResult { tool_use_id, output, is_error: false, .. } if tool_use_id == id => {
                Some(output.get().contains(id))
            }
            _ => None,
        };
        let seen = agent.seen.iter().find_map(result);
        assert!(match seen {
            Some(seen) => seen,
            None => agent.until(result).await,
        });
    }
    agent.turn_end().await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
    agent.close().await;
}

#[cfg(feature = "mcp")]
mod rmcp_server {
    use rmcp::{
        ErrorData, RoleServer, handler::server::wrapper::Parameters, model::*, service::RequestContext, tool,
        tool_router,
    };

    /// A server as it is written for any other client.
    pub(super) struct Forecast;

    #[tool_router(server_handler)]
    impl Forecast {
        /// Returns the weather of a city.
        #[tool]
        async fn weather(
            &self,
            Parameters(super::City { name }): Parameters<super::City>,
            context: RequestContext<RoleServer>,
        ) -> Result<CallToolResult, ErrorData> {
            let Some(token) = context.meta.get_progress_token() else {
                return Err(ErrorData::invalid_params("no token", None));
            };
            let _ = context.peer.notify_progress(ProgressNotificationParam::new(token, 1.0)).await;
            if name == "Atlantis" {
                context.ct.cancelled().await;
            }
            Ok(CallToolResult::success(vec![ContentBlock::text(format!("rain in {name}"))]))
        }
    }
}

#[cfg(feature = "mcp")]
#[tokio::test]
async fn an_rmcp_server_is_mounted_unchanged() {
    let machine = Machine::new().await.with(|claude| claude.mcp_server("city", rmcp_server::Forecast));
    let mut agent = machine.agent().await;
    paris(&agent).await;
    let ask = agent.ask().await;
    agent.allow(&ask).await;
    let progress = |event: &AgentEvent| match event {
        AgentEvent::Status { status, extra } if status == "tool_progress" => Some(extra.clone()),
        _ => None,
    };
    assert_eq!(member(&agent.until(progress).await, "tool_use_id"), r#""toolu_w""#);
    let (output, is_error) = agent.tool_result("toolu_w").await;
    assert!(!is_error && output.contains("rain in Paris"), "{output}");
    agent.turn_end().await;

    agent.say(Script::new(call("toolu_a", "weather", &json!({"name": "Atlantis"}))).then("done")).await;
    let ask = agent.ask().await;
    agent.allow(&ask).await;
    agent.until(progress).await;
    agent.command(AgentCommand::Interrupt).await;
    assert_eq!(agent.turn_end().await.subtype, "error_during_execution");
    agent.close().await;
}

/// A card with the weather.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct WeatherCard {
    city: String,
}

#[tokio::test]
async fn a_component_is_shown_in_every_mode_without_asking() {
    let genui = GenUi::new().component::<WeatherCard>();
    let machine = Machine::new().await.with(|claude| claude.genui(&genui));
    for mode in ["default", "plan", "dontAsk"] {
        let mut spec = machine.spec();
        spec.permission_mode = Some(mode.into());
        let mut agent = machine.start(spec).await;
        let card = |id, input| tool(id, "mcp__genui__render_weather_card", &input);
        let script =
            Script::new(card("toolu_1", json!({"city": "Paris"}))).then(card("toolu_2", json!({"town": 1})));
        agent.say(script.then("ECHO_HISTORY")).await;
        let (output, is_error) = agent.tool_result("toolu_1").await;
        assert!(!is_error && output.contains("\"rendered:weather_card\""), "{mode}: {output}");
        let (output, is_error) = agent.tool_result("toolu_2").await;
        assert!(is_error && output.contains("missing field `city`"), "{mode}: {output}");
        assert_eq!(agent.turn_end().await.subtype, "success");
        assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Ask(_))), "{mode}");
        agent.close().await;
    }
}

#[tokio::test]
async fn a_prompt_for_a_tool_outlives_its_process_and_the_next_one_has_the_tool() {
    // The operator has servers, too.
    let other = r#"--mcp-config={"mcpServers":{"other":{"command":"/nonexistent"}}}"#;
    let machine = machine(Tools::new().tool(answers(async |call| ToolOutput::text(call.input.name)))).await;
    let machine = machine.with(|claude| claude.arg(other));
    let spec = machine.spec();
    let mut agent = machine.start(spec.clone()).await;
    paris(&agent).await;
    let ask = agent.ask().await;
    agent.close().await;

    let mut again = spec;
    again.resume = true;
    again.open_prompts = vec![ask.correlation_id.clone()];
    let mut agent = machine.start(again).await;
    let ask = agent.ask().await;
    assert_eq!(ask.correlation_id, "toolu_w");
    agent.allow(&ask).await;
    let (output, is_error) = agent.tool_result("toolu_w").await;
    assert!(!is_error && output.contains("Paris"), "{output}");
    agent.turn_end().await;
    let servers = ["city", "other"].map(|server| {
        let status = agent.seen.iter().rev().find_map(|event| match event {
            AgentEvent::McpStatus { server_name, status } if server_name == server => Some(&**status),
            _ => None,
        });
        status.unwrap_or_else(|| panic!("no status of {server}"))
    });
    assert_eq!(servers, ["connected", "failed"]);
    agent.close().await;
}
