//! The real server or one of the examples, as a process.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use agent_webkit::practice::Model;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, PATIENCE, Session, balancer::Balancer, claude, postgres::TestDatabase};

/// The default token.
pub(crate) const TOKEN: &str = "wire-test-token";

/// Maximum time for a server to end. It promises to end within 15 s.
const DRAIN: Duration = Duration::from_secs(20);

/// The settings of a server.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    /// The example to run; `None` for the binary.
    example: Option<String>,
    options: Vec<(String, Option<OsString>)>,
    env: Vec<(OsString, OsString)>,
    token: Option<String>,
    claude: PathBuf,
    port: u16,
    dirs: Arc<TempDir>,
    /// With `WIRE_HOSTS`: what several hosts share.
    shared: Option<Arc<Shared>>,
}

/// What the hosts of one server share, if there are several.
#[derive(Debug)]
struct Shared {
    balancer: Balancer,
    database: TestDatabase,
}

/// A running server. Dropping it ends it by SIGTERM, within the time that it promises.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    /// Further hosts that are behind the same balancer.
    further: Vec<Child>,
    url: String,
    recipe: Builder,
}

impl Builder {
    fn new(example: Option<String>) -> Self {
        let dirs = tempfile::Builder::new().prefix("agent-webkit-").tempdir().expect("a directory");
        for name in ["home", "config", "workspace", "tmp"] {
            fs::create_dir(dirs.path().join(name)).expect("a directory");
        }
        let (dirs, token) = (Arc::new(dirs), Some(TOKEN.into()));
        let (options, env, shared) = (Vec::new(), Vec::new(), None);
        Self { example, options, env, token, claude: claude(), port: 0, dirs, shared }
    }

    /// Adds an option with a value.
    pub(crate) fn option(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.options.push((name.to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Adds an option without a value.
    pub(crate) fn flag(mut self, name: &str) -> Self {
        self.options.push((name.to_owned(), None));
        self
    }

    /// Adds a variable to the server's environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Removes the token. The test sets the option that allows this, or expects the start to fail.
    pub(crate) fn no_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// Uses this CLI.
    pub(crate) fn claude(mut self, path: impl Into<PathBuf>) -> Self {
        self.claude = path.into();
        self
    }

    /// A directory of the future server: `home`, `config`, `workspace`, `tmp`.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.dirs.path().join(name)
    }

    /// The command, with an environment that inherits nothing from the tests.
    pub(crate) fn command(&self) -> Command {
        let dirs = self.dirs.path();
        let mut command = match &self.example {
            Some(name) => self.example_command(name),
            None => self.binary_command(),
        };
        command
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", dirs.join("home"))
            .env("TMPDIR", dirs.join("tmp"))
            .env("CLAUDE_CONFIG_DIR", dirs.join("config"))
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("ANTHROPIC_BASE_URL", model_url())
            .env("ANTHROPIC_API_KEY", "x")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir("workspace"));
        command
    }

    fn binary_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-webkit"));
        command.env_clear();
        command.args(["serve", "--port", &self.port.to_string(), "--claude"]).arg(&self.claude);
        command.arg("--workspace").arg(self.dir("workspace"));
        if let Some(token) = &self.token {
            command.args(["--token", token]);
        }
        for (name, value) in &self.options {
            command.arg(name).args(value);
        }
        command
    }

    /// The command of an example, which has its settings in the environment instead of options.
    fn example_command(&self, name: &str) -> Command {
        let mut command = Command::new(example(name));
        command
            .env_clear()
            .env("ADDR", format!("127.0.0.1:{}", self.port))
            .env("AGENT_WEBKIT_CLAUDE", &self.claude)
            .env("AGENT_WEBKIT_WORKSPACE", self.dir("workspace"));
        if let Some(token) = &self.token {
            command.env("AGENT_WEBKIT_AUTH_TOKEN", token);
        }
        for (name, value) in &self.options {
            let name = name.trim_start_matches('-').replace('-', "_").to_uppercase();
            command.env(format!("AGENT_WEBKIT_{name}"), value.as_deref().unwrap_or("1".as_ref()));
        }
        command
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(self) -> Server {
        self.try_start().await.unwrap_or_else(|log| panic!("the server did not say where it listens:\n{log}"))
    }

    /// Starts it and waits until it listens. If it ends before that, returns its log.
    pub(crate) async fn try_start(mut self) -> Result<Server, String> {
        let hosts = self.hosts();
        if hosts == 1 {
            let (process, url) = self.spawn().await?;
            return Ok(Server { process, further: Vec::new(), url, recipe: self });
        }
        if self.shared.is_none() {
            let shared = Shared { balancer: Balancer::start(), database: TestDatabase::new().await };
            self = self.option("--store", shared.database.url());
            self.shared = Some(Arc::new(shared));
        }
        let (process, url) = self.spawn().await?;
        let mut server = Server { process, further: Vec::new(), url, recipe: self };
        let mut authorities = vec![server.authority().to_owned()];
        for _ in 1..hosts {
            let (process, url) = server.recipe.spawn().await?;
            server.further.push(process);
            authorities.push(url.trim_start_matches("http://").to_owned());
        }
        let shared = server.recipe.shared.as_ref().expect("it was made above");
        shared.balancer.balance(authorities);
        server.url = shared.balancer.url().to_owned();
        Ok(server)
    }

    /// The number of hosts: `WIRE_HOSTS`, unless the test chooses a store.
    fn hosts(&self) -> usize {
        let chooses = self.shared.is_none() && self.options.iter().any(|(name, _)| name == "--store");
        if chooses || self.example.is_some() {
            return 1;
        }
        env::var("WIRE_HOSTS").map_or(1, |hosts| hosts.parse().expect("a number"))
    }

    /// Starts one process and waits until it listens. If it ends before that, returns its log.
    async fn spawn(&self) -> Result<(Child, String), String> {
        let log = self.dirs.path().join("log");
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let mut process = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("a pipe");
        match tokio::task::spawn_blocking(move || url_line(stdout)).await.expect("a thread") {
            Some(url) => Ok((process, url)),
            None => {
                // It ends by itself.
                let _ = (process.kill(), process.wait());
                Err(fs::read_to_string(log).unwrap_or_default())
            }
        }
    }

    /// Runs the server, which must end by itself. Returns its exit status and its output.
    pub(crate) async fn fails(self) -> (ExitStatus, String) {
        let mut command = tokio::process::Command::from(self.command());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output =
            tokio::time::timeout(PATIENCE, output).await.expect("the server ends").expect("its output");
        let text = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&text).into_owned())
    }
}

impl Server {
    /// Starts a server with the default settings.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// A builder of the binary, or of the example in `WIRE_HOST`, to run the wire tests on another host.
    pub(crate) fn builder() -> Builder {
        Builder::new(env::var("WIRE_HOST").ok())
    }

    /// A builder of this example.
    pub(crate) fn example(name: &str) -> Builder {
        Builder::new(Some(name.to_owned()))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its address, as `host:port`.
    pub(crate) fn authority(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().expect("a first part")
    }

    /// The path at which it is mounted: empty, or `/prefix`.
    pub(crate) fn prefix(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches(self.authority())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.dir("workspace")
    }

    /// A directory of this server: `home`, `config`, `workspace`, `tmp`.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.recipe.dir(name)
    }

    /// Kills the server and returns a builder that starts it again, with the same port and directories.
    pub(crate) fn kill(mut self) -> Builder {
        for process in self.processes() {
            process.kill().expect("a child of ours");
            process.wait().expect("its end");
        }
        self.again()
    }

    /// Stops the server as a deploy does, and returns a builder that starts it again.
    pub(crate) fn stop(mut self) -> Builder {
        self.signal(Signal::TERM);
        assert!(self.wait(DRAIN).is_some(), "the server did not end within {DRAIN:?}");
        self.again()
    }

    fn again(&self) -> Builder {
        if self.recipe.shared.is_some() {
            // The balancer's address stays.
            return self.recipe.clone();
        }
        let port = self.authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Builder { port: port.expect("a port in its URL"), ..self.recipe.clone() }
    }

    /// A client with the server's token.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, self.recipe.token.as_deref())
    }

    /// An HTTP/2 client with the server's token.
    pub(crate) fn http2(&self) -> Client {
        Client::http2(&self.url, self.recipe.token.as_deref())
    }

    /// Creates a session with the default settings.
    pub(crate) async fn session(&self) -> Session {
        self.session_with(&json!({})).await
    }

    /// Creates a session with this body.
    pub(crate) async fn session_with(&self, body: &Value) -> Session {
        Session::create(self.client(), body).await
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.recipe.dirs.path().join("log")).unwrap_or_default()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        for process in std::iter::once(&self.process).chain(&self.further) {
            let pid = Pid::from_raw(process.id().cast_signed()).expect("a pid");
            let _ = kill_process(pid, signal);
        }
    }

    fn processes(&mut self) -> impl Iterator<Item = &mut Child> {
        std::iter::once(&mut self.process).chain(&mut self.further)
    }

    /// Waits for its end; `None` if it does not end in time.
    pub(crate) fn wait(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        let mut status = None;
        for process in self.processes() {
            status = loop {
                match process.try_wait().expect("a child of ours") {
                    None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                    status => break status,
                }
            };
            status?;
        }
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let ended = self.wait(DRAIN).is_some();
        if !ended {
            for process in self.processes() {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        } else {
            assert!(ended, "the server did not end within {DRAIN:?} of SIGTERM:\n{}", self.log());
        }
    }
}

/// Returns the path of an example, which cargo puts beside the folder of this test.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("it lies in target/<profile>/deps");
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "{} was not built: `cargo build --examples` does", path.display());
    path
}

/// The URL of this process's practice model, which runs on its own thread, so that a test that blocks does
/// not stop it.
pub(crate) fn model_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let model = Model::bind("127.0.0.1:0").await.expect("a port");
                tell.send(model.url()).expect("someone asked");
                std::future::pending::<()>().await;
            });
        });
        told.recv().expect("the model's url")
    })
}

/// Reads the line with the URL. The rest of stdout is read and dropped, so that the pipe never fills.
fn url_line(stdout: impl Read + Send + 'static) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    let line =
        lines.find_map(|line| line.ok()?.split_once("listening on ").map(|(_, url)| url.trim().to_owned()));
    thread::spawn(move || lines.for_each(drop));
    line
}
