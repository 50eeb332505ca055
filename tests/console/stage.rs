//! Runs a story in Node, and does what it asks its host for.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

use crate::support::{Builder, Cuttable, Server, TOKEN};

/// The browser: `AGENT_WEBKIT_CHROMIUM`, or the one on the `PATH`. Without one a test has nothing to run in.
pub(crate) fn chromium() -> Option<PathBuf> {
    let on_path = || {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|dir| dir.join("chromium")).find(|file| file.exists())
    };
    let named = env::var_os("AGENT_WEBKIT_CHROMIUM").filter(|path| !path.is_empty());
    let found = named.map(PathBuf::from).or_else(on_path);
    if found.is_none() {
        eprintln!("SKIPPED: there is no chromium; `make test` installs it where it can.");
    }
    found
}

/// What a story may ask for.
struct Host {
    server: Option<Server>,
    /// Starts the server again.
    again: Option<Builder>,
    network: Cuttable,
}

impl Host {
    async fn new(builder: Builder) -> Self {
        let server = builder.start().await;
        let network = Cuttable::before(server.authority()).await;
        Self { server: Some(server), again: None, network }
    }

    async fn obey(&mut self, command: &str) -> String {
        match command.split_once(' ').unwrap_or((command, "")) {
            ("kill", _) => self.again = self.server.take().map(Server::kill),
            ("start", _) => {
                let builder = self.again.take().expect("a server that was stopped");
                self.server = Some(builder.start().await);
            }
            ("push", origin) => {
                let builder = self.again.take().expect("a server that was stopped");
                let builder = builder.option("--push", "mailto:ops@example.com");
                self.again = Some(builder.option("--push-service", origin));
            }
            ("cors", origin) => {
                let builder = self.again.take().expect("a server that was stopped");
                self.again = Some(builder.option("--cors-origin", origin));
            }
            ("token", token) => {
                let builder = self.again.take().expect("a server that was stopped");
                self.again = Some(builder.no_token().option("--token", token));
            }
            ("cut", _) => self.network.cut(),
            ("network", _) => return self.network.url(),
            ("workspace", _) => {
                let server = self.server.as_ref().expect("a server that runs");
                return server.workspace().display().to_string();
            }
            (unknown, _) => panic!("the story asks for {unknown}"),
        }
        String::new()
    }
}

/// A story, and where it is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) story: &'a str,
    /// The page's address, without the slash at its end.
    pub(crate) url: &'a str,
    /// For what the browser writes.
    pub(crate) folder: &'a Path,
    pub(crate) chromium: &'a Path,
}

/// Plays a story against a new server.
pub(crate) async fn play(story: &str, builder: Builder, chromium: &Path) {
    let mut host = Host::new(builder).await;
    let server = host.server.as_ref().expect("it was started");
    let (url, folder) = (server.url().to_owned(), server.dir("tmp"));
    let stage = Stage { story, url: &url, folder: &folder, chromium };
    stage.play(async |command| host.obey(command).await).await;
}

impl Stage<'_> {
    /// Plays the story. `obey` does what it asks its host for. Fails with everything that the story has said.
    pub(crate) async fn play(self, mut obey: impl AsyncFnMut(&str) -> String) {
        let Self { story, url, folder, chromium } = self;
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console");
        assert!(
            scripts.join("node_modules/playwright-core").exists(),
            "playwright-core is not installed: `make test` does it"
        );
        let mut node = Command::new("node")
            .args(["run.mjs", story])
            .current_dir(&scripts)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .env("CONSOLE_CHROMIUM", chromium)
            .env("CONSOLE_URL", url)
            .env("CONSOLE_TOKEN", TOKEN)
            .envs(env::var_os("CONSOLE_PICTURES").map(|folder| ("CONSOLE_PICTURES", folder)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node 20 or newer runs");
        let mut answers = node.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(node.stdout.take().expect("a pipe")).lines();
        let mut stderr = node.stderr.take().expect("a pipe");
        let mistakes = tokio::spawn(async move {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text).await;
            text
        });
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("the story's output") {
            match line.strip_prefix("@host ") {
                Some(command) => {
                    let answer = obey(command).await;
                    answers.write_all(format!("ok {answer}\n").as_bytes()).await.expect("the story reads");
                }
                None => said.extend([line.as_str(), "\n"]),
            }
        }
        let status = node.wait().await.expect("the story ends");
        let mistakes = mistakes.await.expect("its errors");
        assert!(status.success(), "the story {story} failed:\n{said}{mistakes}");
        // Measurements, which nobody asserts.
        print!("{said}");
    }
}
