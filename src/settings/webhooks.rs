//! Settings of webhooks and their links.

use std::{fmt, fs, path::PathBuf, time::Duration};

use clap::builder::{EnumValueParser, PossibleValue};
use http::Uri;

use super::{ReloadedFile, SettingsError, http_client, units};
use crate::webhooks::{Endpoint, EventKind, Owners, Secret, Webhooks};

/// Settings of webhooks.
#[derive(Clone, clap::Args)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// URL that gets signed webhooks about the prompts, results and errors of all sessions. It needs a secret. See
    /// docs/webhooks.md.
    #[arg(long, value_name = "URL", env = "AGENT_WEBKIT_WEBHOOK", hide_env_values = true)]
    pub webhook: Option<String>,

    /// Secret that signs these webhooks: whsec_ and 24 to 64 bytes in base64. Every user of the machine can read a command
    /// line, so prefer the environment or a file.
    #[arg(
        long = "webhook-secret",
        value_name = "SECRET",
        env = "AGENT_WEBKIT_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    pub webhook_secret: Option<String>,

    /// File with this secret.
    #[arg(long, value_name = "PATH", env = "AGENT_WEBKIT_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Events of these webhooks, separated by commas.
    #[arg(long, value_name = "EVENTS", env = "AGENT_WEBKIT_WEBHOOK_EVENTS", value_delimiter = ',', default_value = "prompts,results,errors", value_parser = EnumValueParser::<EventKind>::new())]
    pub webhook_events: Vec<EventKind>,

    /// TOML file of the webhooks of owners: a table for each owner, such as `[ada]`, with `url`, `secret` and perhaps
    /// `events`. The server reads the file again on SIGHUP.
    #[arg(long = "webhooks", value_name = "PATH", env = "AGENT_WEBKIT_WEBHOOKS")]
    pub owner_webhooks: Option<PathBuf>,

    /// Time for which a webhook that was not received is tried again.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_WEBHOOK_RETRY", default_value = "24h", value_parser = units::duration)]
    pub webhook_retry: Duration,

    /// URL at which browsers reach this server, such as `https://agents.example.com`. With it the webhook of a permission
    /// request has a link to a page that allows or denies it.
    #[arg(long, value_name = "URL", env = "AGENT_WEBKIT_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Lifetime of such a link.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_APPROVE_LINK_LIFETIME", default_value = "1h", value_parser = units::duration)]
    pub approve_link_lifetime: Duration,
}

impl clap::ValueEnum for EventKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Prompts => "prompts",
            Self::Results => "results",
            Self::Errors => "errors",
        }))
    }
}

impl WebhookSettings {
    /// The host of the public URL, which browsers name in the Host header.
    #[must_use]
    pub fn public_host(&self) -> Option<String> {
        let url: Uri = self.public_url.as_deref()?.parse().ok()?;
        url.host().map(str::to_owned)
    }

    /// The webhooks and the file of owners, to reload when it has changed. `None` if there are no webhooks.
    pub(super) fn webhooks(&self) -> Result<Option<(Webhooks, Option<ReloadedFile>)>, SettingsError> {
        let server = self.server()?;
        if server.is_none() && self.owner_webhooks.is_none() {
            return match self.public_url {
                Some(_) => Err(SettingsError::new(
                    "--public-url needs webhooks, which have the links: --webhook or --webhooks",
                )),
                None => Ok(None),
            };
        }
        let mut webhooks = Webhooks::new(http_client::open())
            .link_lifetime(self.approve_link_lifetime)
            .retry_for(self.webhook_retry);
        if let Some(server) = server {
            webhooks = webhooks.server(server);
        }
        if let Some(url) = &self.public_url {
            webhooks = webhooks
                .public_url(url)
                .map_err(|_| SettingsError::new("the public URL must be http:// or https:// and a host"))?;
        }
        let file = match &self.owner_webhooks {
            Some(path) => {
                let owners = Owners::default();
                webhooks = webhooks.owners(owners.clone());
                Some(ReloadedFile::open("webhooks", path, Owners::from_toml, move |new| owners.replace(new))?)
            }
            None => None,
        };
        Ok(Some((webhooks, file)))
    }

    fn server(&self) -> Result<Option<Endpoint>, SettingsError> {
        let secret = match (&self.webhook_secret, &self.webhook_secret_file) {
            (Some(_), Some(_)) => {
                return Err(SettingsError::new("a webhook secret and a file with one exclude each other"));
            }
            (Some(secret), None) => Some(secret.clone()),
            (None, Some(path)) => Some(
                fs::read_to_string(path)
                    .map_err(|error| SettingsError::new(format!("{}: {error}", path.display())))?,
            ),
            (None, None) => None,
        };
        let (url, secret) = match (&self.webhook, secret) {
            (Some(url), Some(secret)) => (url, secret),
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(SettingsError::new(
                    "--webhook needs a secret: set AGENT_WEBKIT_WEBHOOK_SECRET or --webhook-secret-file",
                ));
            }
            (None, Some(_)) => {
                return Err(SettingsError::new("a webhook secret needs --webhook, the URL that it is for"));
            }
        };
        let secret: Secret = secret.parse().map_err(|error| SettingsError::new(format!("{error}")))?;
        let endpoint = Endpoint::new(url, secret).map_err(|error| SettingsError::new(error.to_string()))?;
        Ok(Some(endpoint.events(self.webhook_events.iter().copied())))
    }
}

/// The URL may hold a secret in its path.
impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("events", &self.webhook_events)
            .field("owners", &self.owner_webhooks)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::parse;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_webhook_has_a_url_and_one_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
        let path = file.path().to_str().unwrap();
        let given = |args: &[&str]| parse(args, &[]).unwrap().webhooks.webhooks();
        assert!(given(&[]).unwrap().is_none());
        let url = ["--webhook", "https://h.example/x"];
        for right in [&["--webhook-secret", SECRET][..], &["--webhook-secret-file", path]] {
            assert!(given(&[&url, right].concat()).unwrap().is_some());
        }
        for wrong in [
            &url[..],
            &["--webhook-secret", SECRET],
            &["--webhook", "h.example", "--webhook-secret", SECRET],
            &["--webhook", "https://h.example", "--webhook-secret", "s3cret"],
            &["--webhook", "https://h.example", "--webhook-secret", SECRET, "--webhook-secret-file", path],
            &["--webhook", "https://h.example", "--webhook-secret-file", "/no/such/file"],
            &["--webhook", "https://h.example", "--webhook-secret", SECRET, "--public-url", "h.example"],
            &["--public-url", "https://h.example"],
            &["--webhooks", "/no/such/file"],
        ] {
            let error = given(wrong).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{wrong:?}: {error}");
        }
        assert!(parse(&["--webhook-events", "prompts,all"], &[]).is_err());
        assert!(!format!("{:?}", parse(&url, &[]).unwrap().webhooks).contains("h.example"));
    }
}
