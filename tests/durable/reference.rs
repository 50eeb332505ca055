//! The Python reference on the same tables: either of the two continues a conversation with the real CLI.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::{
    place::Place,
    reader::Reader,
    support::{PATIENCE, Script, Server, claude, model_url},
};

/// The Claude Agent SDK with the reference's `PgSessionStore`.
struct Reference {
    python: PathBuf,
    database: String,
    home: tempfile::TempDir,
}

impl Reference {
    /// `None`, with a message, if the reference is not installed.
    fn on(place: &Place) -> Option<Self> {
        let python = std::env::var_os("AGENT_WEBKIT_REFERENCE")
            .map_or_else(|| root().join(".local/reference/bin/python"), PathBuf::from);
        if !python.exists() {
            eprintln!("skipped: the Python reference is not installed (scripts/reference.sh does that)");
            return None;
        }
        let home = tempfile::tempdir().expect("a home of its own");
        Some(Self { python, database: place.database().url().to_owned(), home })
    }

    /// Runs one turn and returns the model's text.
    async fn turn(&self, cwd: &Path, how: &str, id: &str, prompt: &str) -> String {
        let mut command = Command::new(&self.python);
        command
            .arg(root().join("tests/reference/session.py"))
            .args([self.database.as_ref(), claude().as_os_str(), cwd.as_os_str(), how.as_ref()])
            .args([id, prompt])
            .env("HOME", self.home.path())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("ANTHROPIC_BASE_URL", model_url())
            .env("ANTHROPIC_API_KEY", "x")
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends");
        let output = output.expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn what_the_reference_has_written_goes_on_here_and_there_again() {
    let place = Place::postgres().await;
    let Some(reference) = Reference::on(&place) else { return };
    let server = place.server().option("--adopt", "default");
    let workspace = server.dir("workspace");
    let id = uuid::Uuid::new_v4().to_string();
    // The reference creates its tables first, as in a deployment that migrates from it.
    reference.turn(&workspace, "new", &id, "The word is heliotrope.").await;

    let server = server.start().await;
    let mut reader = Reader::of(server.client(), &id);
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.say("word", "Another word is vermilion.").await;
    reader.until("result").await;
    reader.replays().await;
    let _workspace = server.stop();

    let echo = reference.turn(&workspace, "resume", &id, &Script::text("ECHO_HISTORY").to_string()).await;
    assert!(echo.contains("heliotrope") && echo.contains("vermilion"), "{echo}");
}

#[tokio::test]
async fn what_was_written_here_goes_on_with_the_reference_and_here_again() {
    let place = Place::postgres().await;
    let Some(reference) = Reference::on(&place) else { return };
    let server: Server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let workspace = server.workspace();
    let again = server.stop();

    let prompt = format!("Another word is vermilion. {}", Script::text("ECHO_HISTORY"));
    let echo = reference.turn(&workspace, "resume", &reader.id, &prompt).await;
    assert!(echo.contains("heliotrope"), "{echo}");

    let _server = again.start().await;
    let echo = reader.history("history").await;
    assert!(echo.contains("heliotrope") && echo.contains("vermilion"), "{echo}");
    assert_eq!(reader.shown[0].data["session_id"], json!(reader.id));
    reader.replays().await;
}
