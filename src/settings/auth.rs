//! Credentials: tokens, the tokens file, JSON Web Tokens.

use std::{path::PathBuf, time::Duration};

use super::{JwtSettings, ReloadedFile, Settings, SettingsError, tokens_file, units};
use crate::layers::auth::{AnyOf, BoxVerify, Disabled, StaticTokens};

/// Credentials beside plain tokens.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct AuthSettings {
    /// File of named tokens: `name:token` or `name:token:scopes` on each line, where scopes are some of read, drive,
    /// approve and profile:NAME, separated by commas; without scopes a token allows everything. The server reads the file again on
    /// SIGHUP.
    #[arg(long, value_name = "PATH", env = "AGENT_WEBKIT_TOKENS_FILE")]
    pub tokens_file: Option<PathBuf>,

    /// Lifetime of a ticket, the credential in a URL with which a browser's EventSource opens a stream.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_TICKET_LIFETIME", default_value = "60s", value_parser = units::duration)]
    pub ticket_lifetime: Duration,

    /// JSON Web Tokens. This field must be the last one: clap puts the options after it below its heading.
    #[command(flatten)]
    pub jwt: JwtSettings,
}

/// The credentials of [`Settings`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Credentials {
    /// A verifier for all kinds of credentials.
    pub verifier: BoxVerify,
    /// The tokens file, to reload when it has changed.
    pub tokens_file: Option<ReloadedFile>,
}

impl Settings {
    /// The verifier, for a host that does not reload the tokens file.
    ///
    /// # Errors
    /// As for [`credentials`](Self::credentials).
    pub fn verifier(&self) -> Result<BoxVerify, SettingsError> {
        self.credentials().map(|credentials| credentials.verifier)
    }

    /// The credentials. Reads the files that the settings name.
    ///
    /// # Errors
    /// There is neither a credential nor `no_auth`, or there are both, or a credential cannot be read or is unsafe.
    pub fn credentials(&self) -> Result<Credentials, SettingsError> {
        let tokens =
            StaticTokens::new(&self.tokens).map_err(|error| SettingsError::new(error.to_string()))?;
        let tokens_file = self.auth.tokens_file.as_deref().map(tokens_file::open).transpose()?;
        let (named, tokens_file) = tokens_file.unzip();
        let verifiers: Vec<BoxVerify> = [
            (!tokens.is_empty()).then(|| BoxVerify::new(tokens)),
            named.map(BoxVerify::new),
            self.auth.jwt.verifier()?.map(BoxVerify::new),
        ]
        .into_iter()
        .flatten()
        .collect();
        let all = verifiers.into_iter().reduce(|all, next| BoxVerify::new(AnyOf::new(all, next)));
        let verifier = match (self.no_auth, all) {
            (true, None) => BoxVerify::new(Disabled),
            (false, Some(verifier)) => verifier,
            (true, Some(_)) => return Err(SettingsError::new("a token and --no-auth exclude each other")),
            (false, None) => {
                return Err(SettingsError::new(
                    "there is no token: set AGENT_WEBKIT_AUTH_TOKEN, --token, --tokens-file or the --jwt options, or accept every request with --no-auth",
                ));
            }
        };
        Ok(Credentials { verifier, tokens_file })
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::parse;

    #[test]
    fn a_server_is_never_open_by_accident() {
        let auth = |args: &[&str], vars: &[(&str, &str)]| parse(args, vars).unwrap().credentials().map(drop);
        assert!(auth(&[], &[]).is_err());
        assert!(auth(&["--no-auth"], &[]).is_ok());
        assert!(auth(&["--token", "a"], &[]).is_ok());
        assert!(auth(&["--token", "a", "--token", "b"], &[]).is_ok());
        assert!(auth(&["--token", "a", "--token", ""], &[]).is_err());
        assert!(auth(&["--token", "a", "--no-auth"], &[]).is_err());
        assert!(auth(&[], &[("AGENT_WEBKIT_AUTH_TOKEN", "a")]).is_ok());
        assert!(auth(&[], &[("AGENT_WEBKIT_AUTH_TOKEN", "")]).is_err());
        assert!(auth(&[], &[("AGENT_WEBKIT_TOKEN", "a")]).is_ok());
        assert!(auth(&["--no-auth"], &[("AGENT_WEBKIT_AUTH_TOKEN", "a")]).is_err());
        assert!(auth(&["--no-auth"], &[("AGENT_WEBKIT_AUTH_TOKEN", "")]).is_ok());
    }

    #[test]
    fn every_kind_of_credential_closes_the_server() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "ada:s3cret").unwrap();
        let path = file.path().to_str().unwrap();
        let open = |args: &[&str]| parse(args, &[]).unwrap().credentials();
        assert!(open(&["--tokens-file", path]).unwrap().tokens_file.is_some());
        assert!(open(&["--tokens-file", path, "--token", "a"]).is_ok());
        assert!(open(&["--tokens-file", path, "--no-auth"]).is_err());
        assert!(open(&["--tokens-file", "/no/such/file"]).is_err());
    }
}
