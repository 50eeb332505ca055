//! Checks of a running server, clause by clause: `agent-webkit check URL`.
//!
//! [`protocol`] makes sessions on a server of the agent-webkit protocol and holds its answers against what the protocol
//! promises. [`stream`] checks any resumable event stream, with or without agents: that a reader who comes back with
//! `Last-Event-ID` gets exactly the rest. Both go over any HTTP client that is a tower service, and return a [`Report`],
//! which has a form as text, JSON and JUnit.
//!
//! ```no_run
//! use agent_webkit::check::{Target, stream};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//!
//! # async fn run() {
//! let http = Client::builder(TokioExecutor::new()).build_http();
//! let report = stream(http, &Target::new("http://127.0.0.1:8080/feed".parse().unwrap())).await;
//! print!("{}", report.text());
//! assert!(report.passed());
//! # }
//! ```

mod exchange;
mod frames;
mod protocol;
mod report;
mod stream;

use std::time::Duration;

use http::Uri;

pub use self::report::{Check, Outcome, Report};
use self::{exchange::Probe, report::Runner};
use crate::client::HttpService;

/// What is checked, and with what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The URL of the server for [`protocol`], of the stream for [`stream`].
    pub url: Uri,
    /// The bearer token, if one is needed.
    pub token: Option<String>,
    /// The time after which a check has failed. Default: 30 s.
    pub patience: Duration,
    /// The time within which a silent stream sends a comment. `None`, the default, skips the check of it.
    pub keepalive: Option<Duration>,
    /// A message that the agent answers without a tool. The default asks for one word.
    pub message: String,
    /// A message on which the agent asks for a permission. The default asks for a shell command that makes a file.
    pub asking_message: String,
}

impl Target {
    /// The target at this URL, with the defaults.
    #[must_use]
    pub fn new(url: Uri) -> Self {
        Self {
            url,
            token: None,
            patience: Duration::from_secs(30),
            keepalive: None,
            // Models read the sentence; the practice model reads the script.
            message: r#"Reply with the single word "ready". <<{"steps":["ready"]}>>"#.to_owned(),
            asking_message: concat!(
                r#"Run the command "touch agent-webkit-check" with the Bash tool, once. "#,
                r#"<<{"steps":[{"tool":"Bash","id":"toolu_check","input":{"command":"touch agent-webkit-check"}},"#,
                r#""done"],"token_ms":20}>>"#
            )
            .to_owned(),
        }
    }
}

/// Checks a server of the agent-webkit protocol. It makes some sessions, in which the agent is asked for one word, two or
/// three times, and for one permission, and deletes them.
pub async fn protocol(http: impl HttpService, target: &Target) -> Report {
    let probe = Probe::new(http, target);
    let mut runner = Runner::new(target);
    protocol::run(&probe, &mut runner).await;
    runner.report()
}

/// Checks a resumable event stream: any URL that answers `GET` with `text/event-stream` and gives its events ids.
pub async fn stream(http: impl HttpService, target: &Target) -> Report {
    let probe = Probe::new(http, target);
    let mut runner = Runner::new(target);
    stream::run(&probe, &mut runner).await;
    runner.report()
}
