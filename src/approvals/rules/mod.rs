//! [`Rules`]: a policy from a file.

mod file;
mod glob;
mod paths;
mod shell;

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tower::Service;

pub use self::file::Effect;
use self::{
    file::{File, Rule},
    shell::Shell,
};
use super::{Ask, Verdict};
use crate::sync::lock;

/// The message of a denial that has none.
const DENIED: &str = "The operator's policy denies this.";

/// Rules that allow, deny or ask, by tool, command, path and owner. The first one that matches decides; if none does,
/// people are asked.
///
/// ```toml
/// [[rule]]
/// effect = "deny"
/// command = "rm *"
/// message = "Nothing is deleted here."
///
/// [[rule]]
/// effect = "allow"
/// tool = "Bash"
/// command = "cargo test *"
///
/// [[rule]]
/// effect = "allow"
/// path = "src/**"
/// principal = "ada"
/// ```
///
/// A clone has the same rules, also after [`replace`](Self::replace).
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Mutex<Arc<[Rule]>>>);

/// Why rules cannot be read, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RulesError(String);

impl Rules {
    /// Reads rules from the text of a TOML file.
    ///
    /// # Errors
    /// The text is not TOML, or a rule is not valid. The error names the line.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        let File { rule } = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            let message = error.message().replace('\n', " ");
            RulesError(line.map_or(message.clone(), |line| format!("line {line}: {message}")))
        })?;
        for (number, rule) in (1..).zip(&rule) {
            rule.check().map_err(|what| RulesError(format!("rule {number}: {what}")))?;
        }
        Ok(Self(Arc::new(Mutex::new(rule.into()))))
    }

    /// Takes the rules of another set.
    pub fn replace(&self, other: &Self) {
        let others = Arc::clone(&lock(&other.0));
        *lock(&self.0) = others;
    }

    /// What the first rule that matches does with a call; `None` if no rule matches.
    #[must_use]
    pub fn effect(&self, ask: &Ask) -> Option<Effect> {
        self.matching(ask).map(|rule| rule.effect)
    }

    pub(super) fn verdict(&self, ask: &Ask) -> Verdict {
        match self.matching(ask) {
            Some(Rule { effect: Effect::Allow, .. }) => Verdict::allow(),
            Some(Rule { effect: Effect::Deny, message, .. }) => {
                Verdict::deny(message.unwrap_or_else(|| DENIED.to_owned()))
            }
            Some(Rule { effect: Effect::Ask, .. }) | None => Verdict::Pass,
        }
    }

    /// What these rules say of a call that may run without asking.
    pub(crate) fn guard(&self, ask: &Ask) -> Option<Verdict> {
        match self.effect(ask)? {
            Effect::Allow => None,
            Effect::Deny | Effect::Ask => Some(self.verdict(ask)),
        }
    }

    fn matching(&self, ask: &Ask) -> Option<Rule> {
        let rules = Arc::clone(&lock(&self.0));
        let shell = ask.command().map(Shell::parse);
        rules.iter().find(|rule| rule.matches(ask, shell.as_ref())).cloned()
    }
}

impl Rule {
    fn check(&self) -> Result<(), &'static str> {
        if self.message.is_some() && self.effect != Effect::Deny {
            return Err("only a rule that denies has a message");
        }
        let patterns = [&self.tool, &self.command, &self.path, &self.principal];
        if patterns.into_iter().flatten().any(String::is_empty) {
            return Err("a pattern must not be empty");
        }
        Ok(())
    }

    fn matches(&self, ask: &Ask, shell: Option<&Shell>) -> bool {
        let is = |pattern: &Option<String>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| glob::matches(pattern, text)))
        };
        is(&self.tool, Some(&ask.tool_name))
            && is(&self.principal, ask.principal.as_deref())
            && self
                .command
                .as_ref()
                .is_none_or(|pattern| shell.is_some_and(|shell| self.names(pattern, shell, ask)))
            && self.path.as_ref().is_none_or(|pattern| {
                ask.path()
                    .is_some_and(|path| paths::matches(pattern, path, &ask.cwd, self.effect == Effect::Allow))
            })
    }

    /// Whether the pattern is about this command. A rule that allows must know all that the command does. One that
    /// denies or asks looks at each command inside it.
    fn names(&self, pattern: &str, shell: &Shell, ask: &Ask) -> bool {
        let about = |text: &str| {
            let bare = pattern.strip_suffix(" *").is_some_and(|bare| glob::matches(bare, text));
            bare || glob::matches(pattern, text)
        };
        match self.effect {
            Effect::Allow => {
                let leaves_sandbox = ask.input["dangerouslyDisableSandbox"] == true;
                !leaves_sandbox && shell.plain().is_some_and(|command| about(&command))
            }
            Effect::Deny | Effect::Ask => {
                ask.command().is_some_and(about) || shell.names().iter().any(|name| about(name))
            }
        }
    }
}

impl Service<Ask> for Rules {
    type Response = Verdict;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Verdict, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        std::future::ready(Ok(self.verdict(&ask)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bash(command: &str) -> Ask {
        Ask::new("Bash", json!({"command": command}))
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = Rules::from_toml(
            r#"
            rule = [
                {effect = "deny", command = "rm *", message = "no"},
                {effect = "allow", tool = "Bash", command = "ls *"},
                {effect = "ask", tool = "Bash", principal = "bob"},
                {effect = "allow", tool = "mcp__city__*"},
                {effect = "allow", tool = "Bash", command = "make *", principal = "a*"},
            ]"#,
        )
        .unwrap();
        let by = |principal: Option<&str>, command: &str| {
            rules.effect(&Ask { principal: principal.map(str::to_owned), ..bash(command) })
        };
        use Effect::{Allow, Deny};
        for (command, effect) in [
            ("ls", Some(Allow)),
            ("ls -la /w", Some(Allow)),
            ("lsof", None),
            ("rm x", Some(Deny)),
            ("rm", Some(Deny)),
            ("ls; rm -rf /", Some(Deny)),
            ("ls; shred x", None),
            ("ls $(shred x)", None),
            ("ls\nshred x", None),
            ("ls && true", None),
            ("ls | sh", None),
            ("ls > /etc/passwd", None),
            ("echo rm x", None),
            ("make x", None),
        ] {
            assert_eq!(by(None, command), effect, "{command:?}");
        }
        assert_eq!(by(Some("ada"), "make x"), Some(Allow));
        assert_eq!((by(Some("bob"), "make x"), by(Some("bob"), "ls")), (Some(Effect::Ask), Some(Allow)));
        assert_eq!(rules.effect(&Ask::new("mcp__city__weather", json!({}))), Some(Allow));
        assert_eq!(rules.effect(&Ask::new("Read", json!({"file_path": "/x"}))), None);
        assert_eq!(rules.verdict(&bash("rm x")), Verdict::deny("no"));
        let outside = Ask::new("Bash", json!({"command": "ls", "dangerouslyDisableSandbox": true}));
        assert_eq!(rules.effect(&outside), None);
    }

    #[test]
    fn a_bad_file_is_refused_in_one_sentence() {
        for (text, sentence) in [
            ("[[rule]]\neffect = \"allow\"\ntol = \"Bash\"", "line 3: unknown field `tol`"),
            ("[[rule]]\neffect = \"let\"", "line 2: unknown variant `let`"),
            ("[[rule]]\ntool = \"Bash\"", "line 1: missing field `effect`"),
            ("rule = 3", "line 1: "),
            (
                "[[rule]]\neffect = \"allow\"\nmessage = \"x\"",
                "rule 1: only a rule that denies has a message",
            ),
            ("[[rule]]\neffect = \"allow\"\ntool = \"\"", "rule 1: a pattern must not be empty"),
            ("[[", "line 1: "),
        ] {
            let error = Rules::from_toml(text).unwrap_err().to_string();
            assert!(error.starts_with(sentence) && !error.contains('\n'), "{error}");
        }
        assert!(Rules::from_toml("").unwrap().effect(&bash("ls")).is_none());
    }

    #[test]
    fn clones_share_what_is_replaced() {
        let rules = Rules::default();
        let clone = rules.clone();
        rules.replace(&Rules::from_toml("[[rule]]\neffect = \"deny\"").unwrap());
        assert_eq!(clone.effect(&bash("ls")), Some(Effect::Deny));
    }
}
