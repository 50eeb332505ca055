//! `agent-webkit check`: the conformance checks.

use std::{path::PathBuf, time::Duration};

use agent_webkit::{
    check::{Report, Target, protocol, stream},
    client::HttpService,
};
use http::Uri;

use crate::{Failure, https, token};

/// The arguments of `agent-webkit check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// URL of the server, such as http://127.0.0.1:8000, or of the stream with --stream
    url: Uri,

    /// Check any resumable event stream at the URL, instead of a server of the agent-webkit protocol
    #[arg(long)]
    stream: bool,

    /// File with the token. Default: the token in the environment, if there is one. [env: AGENT_WEBKIT_AUTH_TOKEN, or
    /// else AGENT_WEBKIT_TOKEN]
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Seconds after which a check has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,

    /// Seconds within which a silent stream sends a comment. The check waits for two comments; without it, there is none
    #[arg(long, value_name = "SECONDS")]
    keepalive: Option<u64>,

    /// Message that the agent answers without a tool. Default: one that asks for a word
    #[arg(long, value_name = "TEXT", conflicts_with = "stream")]
    message: Option<String>,

    /// Message on which the agent asks for a permission. Default: one that asks for a shell command
    #[arg(long, value_name = "TEXT", conflicts_with = "stream")]
    asking_message: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Junit,
}

impl Check {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let target = self.target()?;
        // None stays open: a server may close one after an error, which is no fault of its next answer.
        let report = match self.url.scheme_str() {
            Some("http") => self.report(https::plain(0), &target).await,
            Some("https") => self.report(https::encrypted(0)?, &target).await,
            _ => return Err(Failure::Usage(format!("{} is not an http or https URL", self.url))),
        };
        print!(
            "{}",
            match self.format {
                Format::Text => report.text(),
                Format::Json => report.json() + "\n",
                Format::Junit => report.junit(),
            }
        );
        match report.failed().count() {
            0 => Ok(()),
            failed => Err(Failure::Io(format!("{failed} of {} checks failed", report.checks.len()))),
        }
    }

    async fn report(&self, http: impl HttpService, target: &Target) -> Report {
        if self.stream { stream(http, target).await } else { protocol(http, target).await }
    }

    fn target(&self) -> Result<Target, Failure> {
        let mut target = Target::new(self.url.clone());
        target.token = match &self.token_file {
            Some(path) => Some(token::read(path).map_err(Failure::Io)?),
            None => token::from_environment()?,
        };
        target.patience = Duration::from_secs(self.patience);
        target.keepalive = self.keepalive.map(Duration::from_secs);
        if let Some(message) = &self.message {
            target.message.clone_from(message);
        }
        if let Some(message) = &self.asking_message {
            target.asking_message.clone_from(message);
        }
        Ok(target)
    }
}
