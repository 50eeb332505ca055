//! What was checked and what came of it.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::Target;

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "snake_case")]
pub enum Outcome {
    /// It is as promised.
    Passed,
    /// It is not: what was found.
    Failed(String),
    /// It could not be checked: why.
    Skipped(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// Its name, such as `resume.seam`.
    pub name: &'static str,
    /// What is promised, in one sentence.
    pub clause: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}

/// The checks of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The URL.
    pub target: String,
    /// The checks in their order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether no check has failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The checks that have failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    fn skipped(&self) -> usize {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped(_))).count()
    }

    /// The report as text: a line for each check, and a line for what was found where it failed or was skipped.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.target);
        for Check { name, clause, outcome, .. } in &self.checks {
            let _ = match outcome {
                Outcome::Passed => writeln!(text, "pass  {name}: {clause}"),
                Outcome::Failed(why) => writeln!(text, "FAIL  {name}: {clause}\n      found: {why}"),
                Outcome::Skipped(why) => writeln!(text, "skip  {name}: {clause}\n      not checked: {why}"),
            };
        }
        let (failed, skipped) = (self.failed().count(), self.skipped());
        let passed = self.checks.len() - failed - skipped;
        let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
        text
    }

    /// The report as JSON: `{"target", "checks": [{"name", "clause", "outcome", "why"?, "seconds"}]}`, where `outcome` is
    /// `passed`, `failed` or `skipped`.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is JSON")
    }

    /// The report as a JUnit file with one test suite.
    #[must_use]
    pub fn junit(&self) -> String {
        let (all, failed, skipped) = (self.checks.len(), self.failed().count(), self.skipped());
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{all}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
            escaped(&self.target)
        );
        for Check { name, clause, outcome, took } in &self.checks {
            let (clause, seconds) = (escaped(clause), took.as_secs_f64());
            let _ = write!(xml, "  <testcase classname=\"{name}\" name=\"{clause}\" time=\"{seconds:.3}\"");
            let _ = match outcome {
                Outcome::Passed => writeln!(xml, "/>"),
                Outcome::Failed(why) => {
                    writeln!(xml, "><failure message=\"{}\"/></testcase>", escaped(why))
                }
                Outcome::Skipped(why) => {
                    writeln!(xml, "><skipped message=\"{}\"/></testcase>", escaped(why))
                }
            };
        }
        xml + "</testsuite>\n"
    }
}

/// A text for an attribute in XML 1.0, which has no control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Finding {
    Failed(String),
    Skipped(String),
}

/// What a check returns.
pub(super) type Verdict<T = ()> = Result<T, Finding>;

/// A check fails with `found` unless something holds.
pub(super) fn expect(holds: bool, found: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Finding::Failed(found())) }
}

pub(super) fn failed<T>(found: impl Into<String>) -> Verdict<T> {
    Err(Finding::Failed(found.into()))
}

pub(super) fn skipped<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Finding::Skipped(why.into()))
}

/// Runs checks and notes what comes of them.
#[derive(Debug)]
pub(super) struct Runner {
    target: String,
    patience: Duration,
    checks: Vec<Check>,
}

impl Runner {
    pub(super) fn new(target: &Target) -> Self {
        Self { target: target.url.to_string(), patience: target.patience, checks: Vec::new() }
    }

    /// Runs a check. Returns its value if it has passed.
    pub(super) async fn check<T>(
        &mut self,
        name: &'static str,
        clause: &'static str,
        check: impl Future<Output = Verdict<T>>,
    ) -> Option<T> {
        self.check_within(self.patience, name, clause, check).await
    }

    /// As [`check`](Self::check), for a check that takes longer by its nature.
    pub(super) async fn check_within<T>(
        &mut self,
        limit: Duration,
        name: &'static str,
        clause: &'static str,
        check: impl Future<Output = Verdict<T>>,
    ) -> Option<T> {
        let start = Instant::now();
        let (outcome, value) = match tokio::time::timeout(limit, check).await {
            Ok(Ok(value)) => (Outcome::Passed, Some(value)),
            Ok(Err(Finding::Failed(found))) => (Outcome::Failed(found), None),
            Ok(Err(Finding::Skipped(why))) => (Outcome::Skipped(why), None),
            Err(_) => (Outcome::Failed(format!("it was not over within {limit:?}")), None),
        };
        self.checks.push(Check { name, clause, outcome, took: start.elapsed() });
        value
    }

    /// The time that a check may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn report(self) -> Report {
        Report { target: self.target, checks: self.checks }
    }
}
