//! `agent-webkit attach` as a process, with the real server and CLI.

use std::process::Stdio;

use agent_webkit::client::{Client, NewSession};
use hyper_util::{client::legacy::Client as Http, rt::TokioExecutor};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::support::{Cuttable, PATIENCE, Script, Server, TOKEN, bash, eventually, tool};

/// A terminal client.
struct Terminal {
    process: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// The output that no test has read yet.
    unread: String,
}

impl Terminal {
    fn start(command: &mut Command) -> Self {
        let mut process = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AGENT_WEBKIT_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, input, output, unread: String::new() }
    }

    fn attach(arguments: &[&str]) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_agent-webkit")).arg("attach").args(arguments))
    }

    async fn write(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Reads until this text has been printed, and returns what came before it.
    async fn until(&mut self, text: &str) -> String {
        let read = async {
            loop {
                if let Some((before, after)) = self.unread.split_once(text) {
                    let before = before.to_owned();
                    self.unread = after.to_owned();
                    return before;
                }
                let mut bytes = [0; 4096];
                let length = self.output.read(&mut bytes).await.unwrap();
                assert!(length > 0, "it ended before {text:?}: {:?}", self.unread);
                self.unread.push_str(str::from_utf8(&bytes[..length]).unwrap());
            }
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(before) => before,
            Err(_) => panic!("{text:?} was not printed: {:?}", self.unread),
        }
    }

    /// Closes its input, waits for its end, and returns its exit code, the rest of its output, and standard error.
    async fn end(mut self) -> (Option<i32>, String, String) {
        drop(self.input.take());
        let (mut rest, mut errors) = (std::mem::take(&mut self.unread), String::new());
        let ended = async {
            self.output.read_to_string(&mut rest).await.unwrap();
            self.process.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
            self.process.wait().await.unwrap().code()
        };
        let code = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
        (code, rest, errors)
    }
}

async fn new_session(server: &Server) -> String {
    let http = Http::builder(TokioExecutor::new()).build_http();
    let client = Client::new(http, server.url().parse().unwrap()).credential(TOKEN);
    client.create(&NewSession::default()).await.unwrap().id().to_owned()
}

#[tokio::test]
async fn a_person_talks_allows_edits_and_chooses() {
    let server = Server::builder().start().await;
    let mut terminal = Terminal::attach(&[server.url()]);
    let script = Script::new(json!(["I make it.", bash("toolu_1", "touch made")])).then("It is made.");
    terminal.write(&script.to_string()).await;
    terminal.until("I make it.").await;
    terminal.until("? Bash asks for permission: {").await;
    terminal.until("e: edit the input").await;
    terminal.write("e").await;
    terminal.until("as JSON:").await;
    terminal.write(r#"{"command": "touch other"}"#).await;
    terminal.until("It is made.").await;
    assert!(server.workspace().join("other").exists() && !server.workspace().join("made").exists());

    let script = Script::new(bash("toolu_2", "touch never")).then("As you like.");
    terminal.write(&script.to_string()).await;
    terminal.until("e: edit the input").await;
    terminal.write("n not today").await;
    terminal.until("= failed:").await;
    assert!(terminal.until("As you like.").await.contains("not today"));
    assert!(!server.workspace().join("never").exists());

    let options = json!([{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]);
    let questions = json!({"questions": [{"question": "Which colour?", "header": "Colour", "multiSelect": false, "options": options}]});
    terminal
        .write(&Script::new(tool("toolu_3", "AskUserQuestion", &questions)).then("Thank you.").to_string())
        .await;
    terminal.until("? Which colour?\n  1: Red (r)\n  2: Blue (b)").await;
    terminal.write("2").await;
    assert!(terminal.until("Thank you.").await.contains("Blue"));

    let (code, rest, errors) = terminal.end().await;
    assert_eq!((code, rest.as_str()), (Some(0), "\n"), "{errors}");
    assert!(errors.contains(&format!("To come back: agent-webkit attach {}", server.url())), "{errors}");
}

#[tokio::test]
async fn at_the_end_of_a_pipe_it_waits_for_the_answer() {
    let server = Server::builder().start().await;
    let id = new_session(&server).await;
    let mut terminal = Terminal::attach(&[server.url(), &id]);
    terminal.write(&Script::slow(30, 10).to_string()).await;
    terminal.write(&Script::text("The second.").to_string()).await;
    let (code, said, errors) = terminal.end().await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains("w0 w1 ") && said.ends_with("w29\nThe second.\n"), "{said}");

    // Who comes later reads the whole conversation.
    let (code, again, errors) = Terminal::attach(&[server.url(), &id]).end().await;
    assert_eq!((code, &again), (Some(0), &said), "{errors}");
}

#[tokio::test]
async fn it_goes_on_after_a_cut_and_a_restart_in_the_middle_of_an_answer() {
    let mut server = Server::builder().start().await;
    let network = Cuttable::before(server.authority()).await;
    let id = new_session(&server).await;
    let mut terminal = Terminal::attach(&[&network.url(), &id]);
    terminal.write(&Script::slow(60, 20).to_string()).await;
    terminal.until("}>>\n").await;
    let mut said = terminal.until("w5 ").await + "w5 ";
    network.cut();
    said += &terminal.until("w59").await;
    let words: Vec<_> = said.split_whitespace().filter(|word| word.starts_with('w')).collect();
    assert_eq!(words, (0..59).map(|word| format!("w{word}")).collect::<Vec<_>>(), "each word once: {said}");

    server = server.stop().start().await;
    terminal.write(&Script::text("After the restart.").to_string()).await;
    terminal.until("After the restart.").await;
    terminal.until("After the restart.").await;
    let (code, _, errors) = terminal.end().await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("connecting again"), "{errors}");
    drop(server);
}

/// In a real terminal, where Ctrl-C is a byte.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ctrl_c_interrupts_and_a_second_one_leaves() {
    let server = Server::builder().start().await;
    let id = new_session(&server).await;
    let spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let program = env!("CARGO_BIN_EXE_agent-webkit");
    let mut terminal =
        Terminal::start(Command::new("python3").args(["-c", spawn, program, "attach", server.url(), &id]));
    terminal.until("Ctrl-C interrupts").await;
    // A terminal takes lines of at most 4096 bytes.
    terminal.write(&Script::slow(600, 50).to_string()).await;
    // The answer; what was typed is shown, too.
    terminal.until("\nw0 w1 ").await;
    terminal.input.as_mut().unwrap().write_all(b"\x03").await.unwrap();
    terminal.until("Interrupted. Ctrl-C again leaves.").await;
    terminal.until("(the turn ended: ").await;
    terminal.input.as_mut().unwrap().write_all(b"\x03").await.unwrap();
    terminal.until("The session stays.").await;

    let state = server.client().get(&format!("/sessions/{id}")).await;
    assert_eq!(state.json()["status"], "idle");
    let input = terminal.input.take();
    let code =
        tokio::time::timeout(PATIENCE, terminal.process.wait()).await.expect("it ends").unwrap().code();
    assert_eq!(code, Some(0));
    drop(input);
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_sentence() {
    let server = Server::builder().start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "wrong\n").unwrap();
    let (file, none) = (file.to_str().unwrap(), folder.path().join("none"));
    for (arguments, code, sentence) in [
        (&["ftp://127.0.0.1"][..], 2, "agent-webkit: ftp://127.0.0.1/ is not an http or https URL\n"),
        (&[server.url(), "--token-file", file], 1, "agent-webkit: 401: "),
        (
            &[server.url(), "--token-file", none.to_str().unwrap()],
            1,
            "agent-webkit: there is no credential: cannot read ",
        ),
        (&[server.url(), "no-such-session"], 1, "agent-webkit: 404: there is no such session\n"),
        (&[server.url(), "--cwd", "/"], 1, "agent-webkit: 403: "),
    ] {
        let (ended, _, errors) = Terminal::attach(arguments).end().await;
        assert_eq!(ended, Some(code), "{arguments:?}: {errors}");
        let last = errors.lines().last().unwrap_or_default().to_owned() + "\n";
        assert!(last.starts_with(sentence), "{arguments:?}: {errors}");
    }
    std::fs::write(file, format!("{TOKEN}\n")).unwrap();
    let (code, _, errors) = Terminal::attach(&[server.url(), "--token-file", file]).end().await;
    assert_eq!(code, Some(0), "{errors}");
}

/// Two who watch the same session: the prompt that one of them answers is gone for the other.
#[tokio::test]
async fn a_prompt_that_another_client_answers_is_gone() {
    let server = Server::builder().start().await;
    let mut session = server.session().await;
    let mut terminal = Terminal::attach(&[server.url(), &session.id]);
    session.say(Script::new(bash("toolu_1", "touch made")).then("Done.")).await;
    let request = session.until("permission_request").await;
    terminal.until("e: edit the input").await;
    session.allow(&request).await;
    terminal.until("Done.").await;
    // It is a message now, and no answer.
    terminal.write("y").await;
    terminal.until("You said: y").await;
    eventually("the file", async || server.workspace().join("made").exists()).await;
    assert_eq!(terminal.end().await.0, Some(0));
    session.close().await;
}
