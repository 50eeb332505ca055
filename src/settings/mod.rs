//! The settings of `agent-webkit serve`, from arguments and the environment, for other hosts as well.
//!
//! Every setting has an option and an environment variable `AGENT_WEBKIT_…`; the option wins. A host can read all
//! settings from the environment:
//!
//! ```no_run
//! use agent_webkit::settings::Settings;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Settings::from_env()?.launch().await?;
//! // Mount `server.stack` anywhere, and keep `server` while it serves.
//! # Ok(())
//! # }
//! ```

mod auth;
mod cli_path;
mod http;
mod http_client;
mod jwks_url;
mod jwt;
mod launch;
mod model;
mod policy_file;
mod profiles_file;
mod push;
mod reloaded;
mod store;
mod tokens_file;
mod units;
mod webhooks;

use std::{env, ffi::OsString, net::IpAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{ArgAction, Parser, builder::FalseyValueParser};

pub use self::auth::{AuthSettings, Credentials};
pub use self::http::{HttpSettings, MetricsAccess};
pub use self::jwt::JwtSettings;
pub use self::launch::Launched;
pub use self::model::Model;
pub use self::push::PushSettings;
pub use self::reloaded::ReloadedFile;
pub use self::store::Store;
pub use self::webhooks::WebhookSettings;

use crate::{
    service::{Limits, Policy},
    storage::{Bus, database::Location},
};

/// The settings of a server. See the [module](self).
///
/// It implements [`clap::Args`], so it can be flattened into the command line of another binary.
#[derive(Clone, Parser)]
#[command(name = "agent-webkit", no_binary_name = true)]
#[non_exhaustive]
pub struct Settings {
    /// Address or name to listen on. Anything but loopback needs a token.
    #[arg(long, env = "AGENT_WEBKIT_HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Port to listen on; 0 takes any free port.
    #[arg(long, env = "AGENT_WEBKIT_PORT", default_value_t = 8000)]
    pub port: u16,

    /// Bearer token that clients send; repeat it to accept an old and a new one. Every user of the machine can read a
    /// command line, so prefer the environment. [env: AGENT_WEBKIT_AUTH_TOKEN, or else AGENT_WEBKIT_TOKEN]
    #[arg(long = "token", value_name = "TOKEN")]
    pub tokens: Vec<String>,

    /// Accept every request without a token. On loopback only.
    #[arg(long, env = "AGENT_WEBKIT_NO_AUTH", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_auth: bool,

    /// Settings for browsers, slow clients and metrics.
    #[command(flatten)]
    pub http: HttpSettings,

    /// Further name that the server accepts in the Host header while it listens on loopback, such as the public name
    /// behind a proxy; repeat it for more.
    #[arg(long = "allow-host", value_name = "NAME", env = "AGENT_WEBKIT_ALLOW_HOST", value_delimiter = ',')]
    pub allow_hosts: Vec<String>,

    /// Path of the claude CLI. Default: the one on the PATH, or else in .local/claude.
    #[arg(long, value_name = "PATH", env = "AGENT_WEBKIT_CLAUDE")]
    pub claude: Option<PathBuf>,

    /// Directory in and below which agents may work; repeat it for more. Agents start in the first one.
    /// Default: the current directory. [env: AGENT_WEBKIT_WORKSPACE, several are separated by `:`]
    #[arg(long = "workspace", value_name = "DIR")]
    pub workspaces: Vec<PathBuf>,

    /// Where sessions are kept: `memory`, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`. Default: the SQLite file
    /// agent-webkit/sessions.db in the user's data directory.
    #[arg(long, value_name = "STORE", env = "AGENT_WEBKIT_STORE", hide_env_values = true, value_parser = store::LocationParser)]
    pub store: Option<Location>,

    /// NATS server by which servers that share a `--store` hear of each other: `nats://HOST:PORT` or `tls://HOST:PORT`.
    /// Default: Postgres' notifications.
    #[arg(long, value_name = "URL", env = "AGENT_WEBKIT_BUS", hide_env_values = true, value_parser = store::BusParser)]
    pub bus: Option<Bus>,

    /// Directory for the private config directories of agents that run. Default: that of the SQLite file, or the temporary
    /// directory.
    #[arg(long, value_name = "DIR", env = "AGENT_WEBKIT_STATE_DIR")]
    pub state_dir: Option<PathBuf>,

    /// Number of a session's newest events that clients can read again. Default: in memory 1000; in a database all,
    /// except the token deltas of finished messages that are older than the last 1000 events.
    #[arg(long, value_name = "EVENTS", env = "AGENT_WEBKIT_LOG_WINDOW")]
    pub log_window: Option<NonZeroUsize>,

    /// Time at rest (no turn or background task, or a turn that waits for an answer) before a session's agent process ends;
    /// the next message or answer starts it again.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_HIBERNATE_AFTER", default_value = "120s", value_parser = units::duration)]
    pub hibernate_after: Duration,

    /// Time without use before a stored session is deleted: a number with ms, s, m or h, such as 720h. Default: never.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_RETENTION", value_parser = units::duration)]
    pub retention: Option<Duration>,

    /// With several servers on one Postgres: time after which others may take over the sessions of a server that no
    /// longer renews its leases.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_LEASE", default_value = "15s", value_parser = units::duration)]
    pub lease: Duration,

    /// Time of silence on an event stream before a keepalive comment is sent.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_KEEPALIVE", default_value = "15s", value_parser = units::duration)]
    pub keepalive: Duration,

    /// Time at rest, without a connected reader and without an input, before a session ends; a stored session only
    /// leaves memory.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_IDLE_TIMEOUT", default_value = "300s", value_parser = units::duration)]
    pub idle_timeout: Duration,

    /// Maximum number of sessions in memory. A request for one more gets a 503.
    #[arg(long, value_name = "SESSIONS", env = "AGENT_WEBKIT_MAX_SESSIONS", default_value = "64")]
    pub max_sessions: NonZeroUsize,

    /// Number of agents that are started before a session needs them. Sessions that choose no directory, model or mode
    /// get them. Each takes the memory of a whole agent, about 200 MB.
    #[arg(long, value_name = "AGENTS", env = "AGENT_WEBKIT_WARM", default_value_t = 0)]
    pub warm: usize,

    /// What a session may cost, in US dollars; a client may choose less. At the limit its turn is interrupted. Default: no
    /// limit.
    #[arg(long, value_name = "USD", env = "AGENT_WEBKIT_SESSION_BUDGET_USD", value_parser = units::usd)]
    pub session_budget_usd: Option<f64>,

    /// What all sessions of one owner may cost on a day (UTC), in US dollars. Default: no limit.
    #[arg(long, value_name = "USD", env = "AGENT_WEBKIT_OWNER_BUDGET_USD_PER_DAY", value_parser = units::usd)]
    pub owner_budget_usd_per_day: Option<f64>,

    /// What all sessions together may cost on a day (UTC), in US dollars, on all servers that share the database. Default:
    /// no limit.
    #[arg(long, value_name = "USD", env = "AGENT_WEBKIT_HOST_BUDGET_USD_PER_DAY", value_parser = units::usd)]
    pub host_budget_usd_per_day: Option<f64>,

    /// Maximum size of a request body.
    #[arg(long, value_name = "SIZE", env = "AGENT_WEBKIT_MAX_BODY", default_value = "32MiB", value_parser = units::size)]
    pub max_body: usize,

    /// Let clients choose the permission mode bypassPermissions, in which the agent runs every tool without asking.
    #[arg(long, env = "AGENT_WEBKIT_ALLOW_BYPASS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub allow_bypass: bool,

    /// Keep no copies of the files that agents change. Without them a client cannot put files back (`rewind`).
    #[arg(long, env = "AGENT_WEBKIT_NO_FILE_CHECKPOINTS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_file_checkpoints: bool,

    /// Let an approval write permission rules to settings files that other sessions read, as its `updated_permissions` say,
    /// and let agents write the operator's settings.json. By default an approval holds for its session alone.
    #[arg(long, env = "AGENT_WEBKIT_SHARE_APPROVALS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub share_approvals: bool,

    /// TOML file of rules that allow or deny what agents ask for, or leave it to people, by tool, command, path and owner.
    /// It is read again at SIGHUP. See docs/policies.md.
    #[arg(long, value_name = "FILE", env = "AGENT_WEBKIT_POLICY")]
    pub policy: Option<PathBuf>,

    /// JSON file of components of a user interface that agents may show: `{"components":[{"name":"weather_card",
    /// "description":"…","schema":{…}}]}`. Clients read them from `GET /genui/schema`.
    #[arg(long, value_name = "FILE", env = "AGENT_WEBKIT_GENUI")]
    pub genui: Option<PathBuf>,

    /// Name of the owner who may continue conversations that are in the transcript store without a session, such as those
    /// of the Python server. By default nobody may, unless there is no authentication.
    #[arg(long, value_name = "NAME", env = "AGENT_WEBKIT_ADOPT")]
    pub adopt: Option<String>,

    /// Name of a further environment variable to pass on to agents; repeat it for more. Agents always get the usual
    /// ones (PATH, HOME, locale, proxies) and those of the claude CLI, and never this server's own settings.
    #[arg(long = "pass-env", value_name = "NAME", env = "AGENT_WEBKIT_PASS_ENV", value_delimiter = ',')]
    pub pass_env: Vec<String>,

    /// Unprivileged user that agents run as, by its name in /etc/passwd. Needs Linux and a server that runs as root. Agents
    /// then cannot read the server's own files. The agents of all owners have this user, so they can read each other's.
    #[arg(long, value_name = "NAME", env = "AGENT_WEBKIT_AGENT_USER")]
    pub agent_user: Option<String>,

    /// Command to start each agent with, such as `setpriv --no-new-privs`. The command line of the claude CLI is added to
    /// it. It is split at spaces, and runs as the agents' user.
    #[arg(long, value_name = "COMMAND", env = "AGENT_WEBKIT_AGENT_WRAPPER")]
    pub agent_wrapper: Option<String>,

    /// TOML file of profiles: options for agents under a name that clients may choose, such as `[review]` with
    /// `tools = ["Read"]`. The server reads the file again on SIGHUP.
    #[arg(long, value_name = "PATH", env = "AGENT_WEBKIT_PROFILES")]
    pub profiles: Option<PathBuf>,

    /// Use the practice model, a scripted model in this program, even if there are credentials for a real one.
    #[arg(long, env = "AGENT_WEBKIT_PRACTICE", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub practice: bool,

    /// Webhooks.
    #[command(flatten)]
    pub webhooks: WebhookSettings,

    /// Notifications on devices.
    #[command(flatten)]
    pub push: PushSettings,

    /// Further kinds of credentials.
    #[command(flatten)]
    pub auth: AuthSettings,
}

/// An error in the settings, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl Settings {
    /// The settings from environment variables, with defaults for the rest.
    ///
    /// # Errors
    /// A variable has an invalid value for its setting.
    pub fn from_env() -> Result<Self, SettingsError> {
        let settings = Self::try_parse_from(std::iter::empty::<OsString>())
            .map_err(|error| SettingsError::new(first_line(&error.to_string())))?;
        settings.completed()
    }

    /// Adds what only the environment can set: tokens and workspaces that no option named.
    ///
    /// # Errors
    /// A token in the environment is not UTF-8.
    pub fn completed(self) -> Result<Self, SettingsError> {
        self.completed_from(|name| env::var_os(name))
    }

    fn completed_from(mut self, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        if self.tokens.is_empty() {
            let token = env("AGENT_WEBKIT_AUTH_TOKEN").or_else(|| env("AGENT_WEBKIT_TOKEN"));
            // Some launchers set an empty variable to say that there is no token.
            if let Some(token) = token.filter(|token| !(self.no_auth && token.is_empty())) {
                let token = token.into_string().map_err(|_| SettingsError::new("a token must be text"))?;
                self.tokens.push(token);
            }
        }
        if self.workspaces.is_empty() {
            let listed = env("AGENT_WEBKIT_WORKSPACE").filter(|listed| !listed.is_empty());
            self.workspaces = match listed {
                Some(listed) => env::split_paths(&listed).filter(|dir| !dir.as_os_str().is_empty()).collect(),
                None => vec![PathBuf::from(".")],
            };
        }
        Ok(self)
    }

    /// Checks that a server with these settings may listen on these addresses.
    ///
    /// # Errors
    /// One of them is not loopback, and authentication is off.
    pub fn check_exposure(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), SettingsError> {
        let exposed = addresses.into_iter().find(|address| !address.is_loopback());
        match exposed {
            Some(address) if self.no_auth => Err(SettingsError::new(format!(
                "--no-auth is for loopback only, and {address} is not: give a token instead"
            ))),
            _ => Ok(()),
        }
    }

    /// The policy: what clients may ask of the agent.
    ///
    /// # Errors
    /// A workspace does not exist or is not a directory.
    pub fn policy(&self) -> Result<Policy, SettingsError> {
        Policy::new(&self.workspaces)
            .map(|policy| policy.allow_bypass(self.allow_bypass).share_approvals(self.share_approvals))
            .map(|policy| {
                policy
                    .session_budget_usd(self.session_budget_usd)
                    .owner_budget_usd_per_day(self.owner_budget_usd_per_day)
                    .host_budget_usd_per_day(self.host_budget_usd_per_day)
            })
            .map(|policy| match &self.adopt {
                Some(name) => policy.adopt_for(name.as_str()),
                None => policy,
            })
            .map_err(|error| SettingsError::new(format!("this workspace cannot be used: {error}")))
    }

    /// The limits on what clients may use.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::default()
            .idle_timeout(self.idle_timeout)
            .hibernate_after(self.hibernate_after)
            .retention(self.retention)
            .max_sessions(self.max_sessions.get())
            .warm(self.warm)
            .max_body(self.max_body)
            .body_timeout(self.http.body_timeout)
            .ticket_lifetime(self.auth.ticket_lifetime)
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tokens", &format_args!(".."))
            .field("no_auth", &self.no_auth)
            .field("claude", &self.claude)
            .field("workspaces", &self.workspaces)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text).trim_start_matches("error: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn parse(args: &[&str], vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::try_parse_from(args).map_err(|error| SettingsError::new(error.to_string()))?.completed_from(
            |name| vars.iter().find(|(given, _)| *given == name).map(|(_, value)| value.into()),
        )
    }

    #[test]
    fn the_nearest_token_wins() {
        let vars = [("AGENT_WEBKIT_AUTH_TOKEN", "a"), ("AGENT_WEBKIT_TOKEN", "t")];
        assert_eq!(parse(&[], &vars).unwrap().tokens, ["a"]);
        assert_eq!(parse(&[], &vars[1..]).unwrap().tokens, ["t"]);
        assert_eq!(parse(&["--token", "f"], &vars).unwrap().tokens, ["f"]);
    }

    #[tokio::test]
    async fn a_bus_is_a_url_and_needs_a_store_to_share() {
        let error = parse(&["--bus", "h:s3cret"], &[]).unwrap_err().to_string();
        assert!(error.contains("a bus is nats://HOST:PORT") && !error.contains("s3cret"), "{error}");
        let settings = parse(&["--bus", "nats://h:4222", "--store", "memory"], &[]).unwrap();
        let error = settings.open_store(&Location::Memory).await.unwrap_err().to_string();
        assert_eq!(error, "--bus needs a --store that several servers share");
    }

    #[test]
    fn an_open_server_stays_on_loopback() {
        let open = parse(&["--no-auth"], &[]).unwrap();
        let closed = parse(&["--token", "a"], &[]).unwrap();
        let [here, there] =
            [["127.0.0.1", "::1"], ["::1", "0.0.0.0"]].map(|list| list.map(|ip| ip.parse().unwrap()));
        assert!(open.check_exposure(here).is_ok());
        assert!(open.check_exposure(there).is_err());
        assert!(closed.check_exposure(there).is_ok());
    }

    #[test]
    fn workspaces_come_as_a_list_or_one_by_one() {
        let vars = [("AGENT_WEBKIT_WORKSPACE", "/a:/b")];
        assert_eq!(parse(&[], &vars).unwrap().workspaces, ["/a", "/b"].map(PathBuf::from));
        assert_eq!(parse(&["--workspace", "/c:d"], &vars).unwrap().workspaces, ["/c:d"].map(PathBuf::from));
        assert_eq!(parse(&[], &[]).unwrap().workspaces, [PathBuf::from(".")]);
        assert!(parse(&["--workspace", "/no/such/dir"], &[]).unwrap().policy().is_err());
    }

    #[test]
    fn options_are_checked() {
        let given = parse(&["--keepalive", "250ms", "--max-body=1KiB", "--max-sessions", "3"], &[]).unwrap();
        assert_eq!(given.keepalive, Duration::from_millis(250));
        assert_eq!(given.limits().max_body, 1024);
        assert_eq!(given.limits().max_sessions, 3);
        for wrong in [
            &["--keepalive", "0"][..],
            &["--port", "65536"],
            &["--max-sessions", "0"],
            &["--log-window", "0"],
            &["--store", "redis://h"],
            &["--lease", "0"],
            &["--body-timeout", "0"],
            &["--cors-origin", "*"],
            &["--metrics", "all"],
            &["--bogus"],
        ] {
            assert!(parse(wrong, &[]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_web_tokens_stand_below_their_heading() {
        for argument in <Settings as clap::CommandFactory>::command().get_arguments() {
            let of_jwt = argument.get_long().is_some_and(|long| long.starts_with("jwt-"));
            assert_eq!(argument.get_help_heading().is_some(), of_jwt, "{argument}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let settings = parse(&["--token", "s3cret"], &[]).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
