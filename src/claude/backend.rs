//! [`Claude`]: the builder of the backend, and the service that starts agents.

use std::{
    ffi::{OsStr, OsString},
    fmt, fs,
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;
use tower::{BoxError, Service};

use super::{
    agent_user::{AgentUser, act_as},
    error::StartError,
    hooks::{Hook, HookCall, HookEvent, HookOutput},
    options::{AnyFactory, Factory, Options, Profiles},
    process::{
        cli_process,
        supervisor::{Conversation, Supervisor},
        tag::ProcessTag,
        watcher::Watcher,
    },
    protocol::{
        ask_again::AskAgain,
        bridge::{Bridge, PLAN},
        permissions::Permissions,
    },
    settings::{Grace, Settings},
    start::{self, Start},
    transcripts::{config_dirs::ConfigDirs, config_root::ConfigRoot},
};
use crate::{
    agent::{AgentIo, SessionSpec, UnknownProfile},
    approvals::{AnyPolicy, Ask, Verdict},
    genui::{self, GenUi},
    storage::transcripts::AnyTranscriptStore,
    tools::{Tools, server::Caller},
};

/// The permission mode in which the CLI asks for nothing.
const BYPASS: &str = "bypassPermissions";

/// The variable with which the CLI joins the pieces of a message. Then it has to know whether anybody reads.
const HOLD: &str = "CLAUDE_CODE_STREAM_EVENT_HOLD_MS";

/// The `claude` CLI as an agent backend: a `Service<SessionSpec, Response = AgentIo>`.
///
/// Clones share their settings and their watcher. A call starts one process and returns before its start-up
/// is complete; commands sent in the meantime are queued. With a [transcript store](Self::transcripts) the
/// call first loads the session's transcript.
///
/// The agent's environment is built from an allow-list (paths, locale, certificates, proxies, `ANTHROPIC_*`,
/// `CLAUDE_*`) plus what [`env`](Self::env) and [`pass_env`](Self::pass_env) add. It never holds the server's
/// `AGENT_WEBKIT_*` or `DATABASE_URL`.
///
/// ```no_run
/// use agent_webkit::{agent::SessionSpec, claude::Claude, proto::AgentCommand};
/// use tower::{Service, ServiceExt};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let path = Claude::discover().ok_or("no claude on the PATH")?;
/// let mut claude = Claude::new(path).pass_env(["MY_TOOL_HOME"]);
/// let spec = SessionSpec::new("5b181949-e7a5-4552-9814-74e14b23ec5d", "/work");
/// let mut agent = claude.ready().await?.call(spec).await?;
/// let content = serde_json::value::to_raw_value("hello")?;
/// let message_uuid = "0c2f9d2e-6a56-4f0a-8f0a-3d0b6f6f2b11".to_owned();
/// agent.commands.send(AgentCommand::User { content, message_uuid, verbatim: false }).await?;
/// while let Some(event) = agent.events.recv().await {
///     println!("{event:?}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Claude {
    settings: Arc<Settings>,
    watcher: Arc<Watcher>,
    config_dirs: Arc<ConfigDirs>,
    tracker: TaskTracker,
}

impl Claude {
    /// Creates a backend that runs the CLI at this path.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let config_dirs = ConfigDirs::new(ConfigRoot::temporary());
        Self {
            settings: Arc::new(Settings::new(program.into())),
            watcher: Arc::new(Watcher::new(ProcessTag::of_host(), config_dirs.path().to_owned())),
            config_dirs: Arc::new(config_dirs),
            tracker: TaskTracker::new(),
        }
    }

    /// Sets the directory in which the private config directories of agents with a transcript store are created.
    /// Default: the temporary directory, which a cleaner may empty while agents work. It is created if it does
    /// not exist; only this user may be able to write to it.
    #[must_use]
    pub fn state_dir(mut self, folder: impl AsRef<Path>) -> Self {
        let config_dirs = ConfigDirs::new(ConfigRoot::in_state_dir(folder.as_ref()));
        self.watcher = Arc::new(Watcher::new(ProcessTag::of_host(), config_dirs.path().to_owned()));
        self.config_dirs = Arc::new(config_dirs);
        self
    }

    /// Returns the path of the first executable `claude` on the `PATH`.
    #[must_use]
    pub fn discover() -> Option<PathBuf> {
        which::which("claude").ok()
    }

    /// Runs every agent as this user, which needs Linux and a server that runs as root. An agent then has the
    /// user's rights: it reads none of the server's own files. The user's home is the agents' `HOME`, with
    /// the config directory that all agents share, unless [`config_dir`](Self::config_dir) names another. Agents of
    /// different sessions have the same user, so each can read what the others can.
    ///
    /// The directories above the [`state_dir`](Self::state_dir) must be searchable for the user. Call
    /// [`probe`](Self::probe) once to find out whether agents can run.
    #[must_use]
    pub fn agent_user(self, user: AgentUser) -> Self {
        self.with(|settings| settings.user = Some(user))
    }

    /// Starts every agent with this command, which gets the CLI's command line as its last arguments, such as
    /// `["setpriv", "--no-new-privs"]`. It runs as the [agents' user](Self::agent_user). It must pass on the
    /// environment, stdin, stdout, stderr and the arguments, must not switch the user, and must end when the CLI
    /// ends.
    #[must_use]
    pub fn agent_wrapper<A: Into<OsString>>(self, command: impl IntoIterator<Item = A>) -> Self {
        self.with(|settings| settings.wrapper = command.into_iter().map(Into::into).collect())
    }

    /// Sets a variable in the agents' environment. The server's own variables (`AGENT_WEBKIT_*`,
    /// `DATABASE_URL`) are ignored.
    #[must_use]
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.with(|settings| settings.set.push((name.into(), value.into())))
    }

    /// Passes these variables of the server's environment to agents, in addition to the allow-list.
    #[must_use]
    pub fn pass_env<N: Into<OsString>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.with(|settings| settings.passed.extend(names.into_iter().map(Into::into)))
    }

    /// Adds an argument to every agent's command line, such as `--mcp-config=…`. Do not pass secrets: every
    /// user of the machine can read a command line.
    #[must_use]
    pub fn arg(self, argument: impl Into<OsString>) -> Self {
        self.with(|settings| settings.arguments.push(argument.into()))
    }

    /// Sets the options of every agent. Further calls change what earlier ones have set.
    ///
    /// ```
    /// use agent_webkit::claude::Claude;
    ///
    /// let claude = Claude::new("claude").options(|options| options.append_system_prompt("Be brief.").max_turns(50));
    /// # drop(claude);
    /// ```
    #[must_use]
    pub fn options(self, change: impl FnOnce(Options) -> Options) -> Self {
        self.with(|settings| settings.options = change(std::mem::take(&mut settings.options)))
    }

    /// Adds a profile: options under a name, by which a client chooses them for its session (`profile` in
    /// `POST /sessions`). What they don't set is as in [`options`](Self::options). A caller whose credential has a list
    /// of scopes needs `profile:NAME` on it.
    ///
    /// ```
    /// use agent_webkit::claude::Claude;
    ///
    /// let claude = Claude::new("claude").profile("review", |options| options.tools(["Read", "Grep", "Glob"]));
    /// # drop(claude);
    /// ```
    #[must_use]
    pub fn profile(self, name: impl Into<String>, set: impl FnOnce(Options) -> Options) -> Self {
        self.settings.profiles.set(name, set(Options::new()));
        self
    }

    /// Uses these profiles, which can be replaced while agents run, instead of those added so far.
    #[must_use]
    pub fn profiles(self, profiles: Profiles) -> Self {
        self.with(|settings| settings.profiles = profiles)
    }

    /// Sets a service that chooses options for each agent before it is started, for example by the session's owner or
    /// directory. What it sets goes over the profile and [`options`](Self::options). If it fails, the agent does not
    /// start. Agents that are [started ahead](crate::service::Limits) have no owner yet.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use agent_webkit::{agent::SessionSpec, claude::{Claude, Options}};
    ///
    /// let claude = Claude::new("claude").factory(tower::service_fn(async |spec: SessionSpec| {
    ///     let prompt = format!("You work for {}.", spec.owner.as_deref().unwrap_or("a guest"));
    ///     Ok::<_, Infallible>(Options::new().append_system_prompt(prompt))
    /// }));
    /// # drop(claude);
    /// ```
    #[must_use]
    pub fn factory(self, factory: impl Factory) -> Self {
        self.with(|settings| settings.factory = Some(AnyFactory::new(factory)))
    }

    /// Allows the mode `bypassPermissions` even where the [`SessionSpec`] does not. For agents that are
    /// started without a stack; a stack decides by its [`Policy`](crate::service::Policy).
    #[must_use]
    pub fn allow_bypass(self, allow: bool) -> Self {
        self.with(|settings| settings.allow_bypass = allow)
    }

    /// Sets whether agents keep a copy of each file before they change it, so that it can be put back
    /// ([`AgentCommand::Rewind`](crate::proto::AgentCommand::Rewind)). Default true. With a transcript store the copies
    /// are stored with the session.
    #[must_use]
    pub fn file_checkpoints(self, keep: bool) -> Self {
        self.with(|settings| settings.file_checkpoints = keep)
    }

    /// Sets the directory where the CLI keeps its settings and transcripts. Default: `~/.claude`.
    #[must_use]
    pub fn config_dir(self, folder: impl Into<OsString>) -> Self {
        self.env("CLAUDE_CONFIG_DIR", folder)
    }

    /// Sets the hooks that become prompts of the session: the `hooks` object of the CLI's handshake, such as
    /// `{"PreToolUse":[{"matcher":"Bash","hookCallbackIds":["h0"]}]}`.
    #[must_use]
    pub fn hooks(self, hooks: Box<RawValue>) -> Self {
        self.with(|settings| settings.hooks = Some(hooks))
    }

    /// Adds tools that run in this process, under the name of a server: the agent calls the tool `weather` of the
    /// server `city` as `mcp__city__weather`. Every agent has them from its start, also one that resumes.
    ///
    /// # Panics
    /// If there is a server of this name, or the name does not match `^[A-Za-z0-9_-]{1,64}$`, or it holds `__`.
    #[must_use]
    #[track_caller]
    pub fn tools(self, server_name: &str, tools: Tools) -> Self {
        self.with(|settings| settings.in_process.add_tools(server_name, tools))
    }

    /// Gives agents the tools of these components, which they may call without asking, and tells them when to use them.
    /// [`StackBuilder::genui`](crate::stack::StackBuilder::genui) tells clients the components.
    ///
    /// # Panics
    /// If there is a server of the name `genui`.
    #[must_use]
    #[track_caller]
    pub fn genui(self, genui: &GenUi) -> Self {
        self.tools(genui::SERVER, genui.tools())
    }

    /// Adds a server of the `rmcp` crate, unchanged, which runs in this process. All agents share the handler. Each call
    /// is asked for as the agent's permission mode and rules say.
    ///
    /// # Panics
    /// As [`tools`](Self::tools).
    #[cfg(feature = "mcp")]
    #[must_use]
    #[track_caller]
    pub fn mcp_server(self, server_name: &str, handler: impl rmcp::ServerHandler) -> Self {
        let server = Arc::new(crate::tools::rmcp::Rmcp(Arc::new(handler)));
        self.with(|settings| settings.in_process.add_server(server_name, server))
    }

    /// Sets a policy, which answers what the agents ask for before people are asked: a service that is called with each
    /// permission request. What it allows or denies, nobody is asked; the stream has a `prompt_resolved` with `"by":
    /// "policy"`. What it passes on, and every request for which it fails, goes to the policy that was set after it, and
    /// at last to people. Set a time limit with `tower::timeout`.
    ///
    /// An agent doesn't ask for everything: its permission mode and its rules may allow a call, and it runs some commands
    /// that only read. A [hook](Self::hook) on [`HookEvent::PreToolUse`] gets every call. Questions of the agent, and
    /// prompts that were open when their process ended, always go to people.
    #[must_use]
    pub fn decide<S>(self, service: S) -> Self
    where
        S: Service<Ask, Response = Verdict, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.with(|settings| settings.in_process.add_policy(AnyPolicy::new(service), None))
    }

    /// Sets rules as a [policy](Self::decide). What they deny does not run, and what they ask for is asked for, even where
    /// the permission mode or another rule would let the agent run it without asking.
    #[cfg(feature = "policies")]
    #[must_use]
    pub fn policy(self, rules: crate::approvals::Rules) -> Self {
        let guarding = rules.clone();
        let guard = Arc::new(move |ask: &Ask| guarding.guard(ask));
        self.with(|settings| settings.in_process.add_policy(AnyPolicy::new(rules), Some(guard)))
    }

    /// Sets a hook in this process: a service that is called at each event of this kind. `matcher` is a pattern of the
    /// CLI, such as the tool's name; `None` matches everything. A hook that fails changes nothing. One that returns
    /// [`HookOutput::ask_clients`] leaves the decision to clients, like the hooks of [`hooks`](Self::hooks).
    #[must_use]
    pub fn hook<S>(self, event: HookEvent, matcher: Option<&str>, service: S) -> Self
    where
        S: Service<HookCall, Response = HookOutput, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.with(|settings| settings.in_process.add_hook(Hook::new(event, matcher, service)))
    }

    /// Sets the timeouts of an agent's start and termination.
    #[must_use]
    pub fn grace(self, grace: Grace) -> Self {
        self.with(|settings| settings.grace = grace)
    }

    /// Sets the maximum length of a line from an agent, in bytes. Default: 64 MiB.
    #[must_use]
    pub fn line_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.line_limit = bytes)
    }

    /// Sets the transcript store of sessions whose [`SessionSpec`] names none. Sessions resume from it on any
    /// machine. For agents that are started without a stack; a stack sets the transcript store of its
    /// storage.
    ///
    /// Every agent has a private config directory in the [`state_dir`](Self::state_dir), which is removed when
    /// the agent ends. Credentials, memory, agents, commands and skills of [`config_dir`](Self::config_dir) are linked
    /// into it, and settings are copied. Transcripts and the files that belong to a session, such as plans, stay
    /// in the transcript store; without one they are linked as well.
    #[must_use]
    pub fn transcripts(self, store: AnyTranscriptStore) -> Self {
        self.with(|settings| settings.transcripts = Some(store))
    }

    /// Spawns all tasks on this tracker. Once its tasks have ended, no agent process is left.
    #[must_use]
    pub fn tracker(mut self, tracker: TaskTracker) -> Self {
        self.tracker = tracker;
        self
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A process tag for one agent, or what runs like one. The watcher ends its processes if this process is killed.
    pub(super) fn tag(&self) -> ProcessTag {
        // First: the watcher removes the config directories, too.
        self.watcher.ensure();
        self.watcher.tag().of_agent()
    }

    pub(super) const fn config_dirs(&self) -> &Arc<ConfigDirs> {
        &self.config_dirs
    }

    /// Returns a variable of the agents' environment.
    #[cfg(feature = "cli")]
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        self.settings
            .environment(&ProcessTag::of_host(), &self.settings.options)
            .remove(std::ffi::OsStr::new(name))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    async fn start(self, mut spec: SessionSpec) -> Result<AgentIo, StartError> {
        let options = self.options_for(&spec).await?;
        spec.model = spec.model.or_else(|| options.model.clone());
        spec.permission_mode = spec.permission_mode.or_else(|| options.permission_mode.clone());
        spec.effort = spec.effort.or_else(|| options.effort.clone());
        let cwd = self.check(&spec)?;
        let before_plan = spec.mode_before_plan.take().filter(|mode| {
            spec.permission_mode.as_deref() == Some(PLAN) && (*mode != BYPASS || self.allows_bypass(&spec))
        });
        let plans = before_plan.is_some();
        spec.permission_mode = before_plan.or(spec.permission_mode);
        let settings = &self.settings;
        let tag = self.tag();
        let mut environment = settings.environment(&tag, &options);
        if spec.open_prompts.is_empty() {
            // Else the CLI would go on with a call that was answered before its process was lost: it may have run.
            environment.insert("CLAUDE_CODE_DISABLE_DEFERRED_TOOL_RESUME".into(), "1".into());
        }
        let Start { resume, environment, memory } =
            match spec.transcripts.as_ref().or(settings.transcripts.as_ref()) {
                Some(store) => {
                    start::from_store(store, settings, &self.config_dirs, environment, &spec, &cwd).await?
                }
                None => start::from_files(settings, &self.config_dirs, environment, &spec, &cwd).await?,
            };
        let arguments = cli_process::arguments(&spec, resume, settings, &options)?;
        let child = cli_process::spawn(settings, &arguments, &cwd, &environment)?;
        let _in = tracing::info_span!("agent", session = spec.session_id, pid = child.id()).entered();
        tracing::debug!(resume, "started");
        let again = AskAgain::new(spec.open_prompts);
        let in_process = &settings.in_process;
        let hooks = in_process.hooks(settings.hooks.as_deref());
        let permissions = in_process.permissions(Permissions::of(&spec.permissions));
        let bridge = Bridge::new(hooks.as_deref(), &options.handshake(), &permissions, again)
            .with_in_process(in_process.server_names(), in_process.has_policies());
        let bridge = bridge.with_wakeups(spec.wakeups);
        let bridge = if environment.contains_key(OsStr::new(HOLD)) { bridge.with_joining() } else { bridge };
        let bridge = if spec.report_cost { bridge.with_costs() } else { bridge };
        let bridge = if plans { bridge.with_plan_mode() } else { bridge };
        let answering = in_process.answer(Caller::new(&spec.session_id, spec.owner), &cwd);
        let conversation = Conversation { bridge, answering };
        let watcher = Arc::clone(&self.watcher);
        Ok(Supervisor::start(child, conversation, tag, memory, settings, watcher, &self.tracker))
    }

    /// The options for this agent: those of the factory over those of its profile over those of every agent.
    async fn options_for(&self, spec: &SessionSpec) -> Result<Options, StartError> {
        let Settings { options, profiles, factory, .. } = &*self.settings;
        let mut chosen = options.clone();
        if let Some(name) = &spec.profile {
            let profile = profiles.get(name);
            chosen = profile.ok_or_else(|| StartError::Profile(UnknownProfile(name.clone())))?.over(chosen);
        }
        if let Some(factory) = factory {
            chosen = factory.options_for(spec).await.map_err(StartError::Factory)?.over(chosen);
        }
        Ok(chosen)
    }

    fn allows_bypass(&self, spec: &SessionSpec) -> bool {
        spec.allow_bypass || self.settings.allow_bypass
    }

    /// Checks the spec and returns the canonical working directory.
    fn check(&self, spec: &SessionSpec) -> Result<PathBuf, StartError> {
        if uuid::Uuid::parse_str(&spec.session_id).is_err() {
            return Err(StartError::BadValue("the session's id must be a uuid"));
        }
        if spec.permission_mode.as_deref() == Some(BYPASS) && !self.allows_bypass(spec) {
            return Err(StartError::BadValue("the permission mode bypassPermissions is not allowed here"));
        }
        let entered = act_as(self.settings.user.as_ref(), || {
            let cwd = fs::canonicalize(&spec.cwd)?;
            // Fails if it is no directory, or one that may not be entered.
            fs::metadata(cwd.join(".")).map(|_| cwd)
        });
        entered.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => StartError::ClosedDirectory(spec.cwd.clone()),
            _ => StartError::NoDirectory(spec.cwd.clone()),
        })
    }
}

impl Service<SessionSpec> for Claude {
    type Response = AgentIo;
    type Error = StartError;
    type Future = StartFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StartError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, spec: SessionSpec) -> StartFuture {
        let claude = self.clone();
        StartFuture(Box::pin(claude.start(spec)))
    }
}

/// The response future of [`Claude`]. Boxed: it awaits file and database access.
pub struct StartFuture(Pin<Box<dyn Future<Output = Result<AgentIo, StartError>> + Send>>);

impl Future for StartFuture {
    type Output = Result<AgentIo, StartError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for StartFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::transcripts::MemoryTranscripts;

    const ID: &str = "5b181949-e7a5-4552-9814-74e14b23ec5d";

    async fn refusal(claude: &Claude, spec: SessionSpec) -> String {
        claude.clone().call(spec).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_cannot_start_says_why() {
        let here = std::env::temp_dir();
        let missing = Claude::new("/nonexistent/claude");
        assert_eq!(
            refusal(&missing, SessionSpec::new(ID, &here)).await,
            "the claude CLI is not at /nonexistent/claude"
        );
        let folder = Claude::new("/");
        assert_eq!(
            refusal(&folder, SessionSpec::new(ID, &here)).await,
            "the claude CLI at / may not be executed"
        );
        assert_eq!(
            refusal(&missing, SessionSpec::new(ID, "/nonexistent/work")).await,
            "the working directory /nonexistent/work does not exist"
        );
        assert!(refusal(&missing, SessionSpec::new("x", &here)).await.contains("uuid"));
        let mut bypass = SessionSpec::new(ID, &here);
        bypass.permission_mode = Some("bypassPermissions".to_owned());
        assert!(refusal(&missing, bypass).await.contains("not allowed"));
    }

    #[tokio::test]
    async fn a_failed_start_leaves_no_folder() {
        let claude = Claude::new("/nonexistent/claude").transcripts(Arc::new(MemoryTranscripts::new()));
        let refused = refusal(&claude, SessionSpec::new(ID, std::env::temp_dir())).await;
        assert_eq!(refused, "the claude CLI is not at /nonexistent/claude");
        let config_dirs = claude.config_dirs.path().to_owned();
        assert_eq!(fs::read_dir(&config_dirs).unwrap().count(), 0);
        drop(claude);
        assert!(!config_dirs.exists());
    }
}
