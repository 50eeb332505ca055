//! Chooses between the account's model and the practice model.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
};

use crate::{claude::Claude, practice};

/// Environment variables with which the CLI reaches a real model.
const CREDENTIALS: [&str; 3] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];

/// Switches that send the CLI to another provider of models. Each takes precedence over the base URL.
const PROVIDERS: [&str; 7] = [
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_VERTEX",
];

/// The model that agents use.
#[derive(Debug)]
pub enum Model {
    /// A real model, through the credentials that the CLI finds.
    Account,
    /// The scripted practice model, served by this process until dropped.
    Practice(practice::Model),
}

impl Model {
    /// The practice model if `practice` is set or the CLI has no credentials, else the real model. The CLI is not
    /// asked where the environment shows credentials.
    ///
    /// # Errors
    /// The practice model cannot listen on loopback.
    pub(super) async fn choose(
        practice: bool,
        claude: &Claude,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> io::Result<Self> {
        if !practice && (has_credentials(env) || claude.is_logged_in().await == Some(true)) {
            return Ok(Self::Account);
        }
        let model = practice::Model::bind("127.0.0.1:0").await?;
        tracing::warn!(
            url = model.url(),
            "{}",
            if practice {
                "the practice model answers, as asked for"
            } else {
                "no credentials were found: the practice model answers"
            }
        );
        Ok(Self::Practice(model))
    }

    /// The environment variables that agents need to reach the model.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Account => Vec::new(),
            Self::Practice(model) => [
                ("ANTHROPIC_BASE_URL", model.url()),
                ("ANTHROPIC_API_KEY", "practice".to_owned()),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ]
            .into_iter()
            .chain(PROVIDERS.map(|switch| (switch, "0".to_owned())))
            .collect(),
        }
    }

    /// Configures the agents for this model.
    pub(super) fn configure(&self, claude: Claude) -> Claude {
        let env = self.env();
        if env.is_empty() {
            return claude;
        }
        // An `env` block of the operator's settings takes precedence over the environment, but not over this.
        let settings = serde_json::json!({ "env": env.iter().cloned().collect::<BTreeMap<_, _>>() });
        let claude = claude.arg(format!("--settings={settings}"));
        env.into_iter().fold(claude, |claude, (name, value)| claude.env(name, value))
    }
}

fn has_credentials(env: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let config = set("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".claude")));
    CREDENTIALS
        .iter()
        .chain(&PROVIDERS)
        .any(|name| set(name).as_deref().is_some_and(|value| value != OsStr::new("0")))
        || config.is_some_and(|dir| dir.join(".credentials.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| vars.iter().find(|(given, _)| *given == name).map(|(_, value)| value.into())
    }

    #[test]
    fn credentials_are_a_variable_or_a_file() {
        assert!(!has_credentials(with(&[])));
        assert!(!has_credentials(with(&[("ANTHROPIC_API_KEY", "")])));
        assert!(!has_credentials(with(&[("CLAUDE_CODE_USE_BEDROCK", "0")])));
        assert!(!has_credentials(with(&[("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")])));
        for name in CREDENTIALS.into_iter().chain(PROVIDERS) {
            assert!(has_credentials(with(&[(name, "1")])), "{name}");
        }
        let home = tempfile::tempdir().unwrap();
        let at_home = [("HOME", home.path().to_str().unwrap())];
        assert!(!has_credentials(with(&at_home)));
        std::fs::create_dir(home.path().join(".claude")).unwrap();
        std::fs::write(home.path().join(".claude/.credentials.json"), "{}").unwrap();
        assert!(has_credentials(with(&at_home)));
        assert!(!has_credentials(with(&[at_home[0], ("CLAUDE_CONFIG_DIR", "/nowhere")])));
    }

    #[tokio::test]
    async fn practice_is_what_is_left_without_an_account() {
        let account = [("ANTHROPIC_API_KEY", "k")];
        let claude = Claude::new("/no/such/claude");
        assert!(matches!(Model::choose(false, &claude, with(&account)).await.unwrap(), Model::Account));
        for (asked, vars) in [(true, &account[..]), (false, &[])] {
            let model = Model::choose(asked, &claude, with(vars)).await.unwrap();
            let Model::Practice(practice) = &model else { panic!("{asked}") };
            assert!(model.env().contains(&("ANTHROPIC_BASE_URL", practice.url())));
        }
    }
}
