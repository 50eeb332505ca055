//! `agent-webkit attach`: a client in a terminal.

mod prompts;
mod screen;
mod sender;
mod talk;

use std::{error::Error as _, path::PathBuf};

use agent_webkit::client::{Client, Error, HttpService, NewSession};
use http::Uri;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, https, token};

/// The arguments of `agent-webkit attach`.
#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// URL of the server, such as http://127.0.0.1:8000
    url: Uri,

    /// Id of the session. Default: a new session
    session: Option<String>,

    /// File with the token; it is read again when the server no longer accepts the token. Default: the token in the
    /// environment. [env: AGENT_WEBKIT_AUTH_TOKEN, or else AGENT_WEBKIT_TOKEN]
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// Working directory of the agent of a new session, inside a workspace of the server
    #[arg(long, value_name = "DIR", conflicts_with = "session")]
    cwd: Option<String>,

    /// Model of a new session
    #[arg(long, value_name = "MODEL", conflicts_with = "session")]
    model: Option<String>,

    /// Permission mode of a new session, such as acceptEdits
    #[arg(long, value_name = "MODE", conflicts_with = "session")]
    permission_mode: Option<String>,
}

impl Attach {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.url.scheme_str() {
            Some("http") => self.talk(https::plain(usize::MAX)).await,
            Some("https") => self.talk(https::encrypted(usize::MAX)?).await,
            _ => Err(Failure::Usage(format!("{} is not an http or https URL", self.url))),
        }
    }

    async fn talk(self, http: impl HttpService) -> Result<(), Failure> {
        let client = self.with_token(Client::new(http, self.url.clone()))?;
        let session = match &self.session {
            Some(id) => client.attach(id),
            None => client.create(&self.new_session()).await.map_err(|error| failed(&error))?,
        };
        // One for the whole talk: a Ctrl-C that comes while an event is shown counts too.
        let interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::Io(format!("cannot listen for Ctrl-C: {error}")))?;
        eprintln!(
            "Session {}. End a line with Enter to send it; Ctrl-C interrupts, twice leaves.",
            session.id()
        );
        talk::talk(&session, interrupts).await.map_err(|error| failed(&error))?;
        eprintln!("The session stays. To come back: agent-webkit attach {} {}", self.url, session.id());
        Ok(())
    }

    fn with_token<S>(&self, client: Client<S>) -> Result<Client<S>, Failure> {
        if let Some(path) = self.token_file.clone() {
            return Ok(client.renew_credential(move || {
                let token = token::read(&path);
                async move { Ok(token?) }
            }));
        }
        Ok(match token::from_environment()? {
            Some(token) => client.credential(token),
            None => client,
        })
    }

    fn new_session(&self) -> NewSession {
        let mut session = NewSession::default();
        (session.cwd, session.model) = (self.cwd.clone(), self.model.clone());
        session.permission_mode = self.permission_mode.clone();
        session
    }
}

fn failed(error: &Error) -> Failure {
    Failure::Io(sentence(error))
}

/// The error with its causes.
fn sentence(error: &Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        sentence = format!("{sentence}: {cause}");
        source = cause.source();
    }
    sentence
}
