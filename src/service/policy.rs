//! The policy on where agents may work and in which permission modes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    proto::{Budget, Exceeded},
    storage::catalog::Spent,
};

/// The permission modes in which a session may always start.
const MODES: [&str; 5] = ["acceptEdits", "auto", "default", "dontAsk", "plan"];

/// The permission mode in which the agent never asks for permission.
const BYPASS: &str = "bypassPermissions";

/// Limits the working directories and permission modes that clients may choose.
///
/// A session's directory must lie inside one of the workspaces once symlinks are resolved; otherwise the
/// request is refused with 403.
///
/// ```
/// use agent_webkit::service::Policy;
///
/// # fn main() -> std::io::Result<()> {
/// let policy = Policy::new(["."])?.allow_bypass(false);
/// assert!(policy.workspaces()[0].is_absolute());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    workspaces: Arc<[PathBuf]>,
    allow_bypass: bool,
    share_approvals: bool,
    /// The owner of transcripts that belong to no session.
    adopter: Option<Arc<str>>,
    budgets: Budgets,
}

/// What may be spent, in US dollars.
#[derive(Clone, Copy, Debug, Default)]
struct Budgets {
    session: Option<f64>,
    owner_day: Option<f64>,
    host_day: Option<f64>,
}

/// The reason for a refusal, as one sentence for the client. It reveals nothing about paths outside the
/// workspaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Denied(String);

impl Policy {
    /// Creates a policy that allows these directories and everything below them. The first one is the
    /// default.
    ///
    /// # Errors
    /// A workspace does not exist or is not a directory, or no workspace is given.
    pub fn new(workspaces: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<Self> {
        let workspaces = workspaces
            .into_iter()
            .map(|root| canonical_dir(root.as_ref()))
            .collect::<io::Result<Vec<_>>>()?;
        if workspaces.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no workspace is given"));
        }
        Ok(Self {
            workspaces: workspaces.into(),
            allow_bypass: false,
            share_approvals: false,
            adopter: None,
            budgets: Budgets::default(),
        })
    }

    /// Whether clients may choose `bypassPermissions`.
    pub(crate) const fn allows_bypass(&self) -> bool {
        self.allow_bypass
    }

    /// Lets clients choose the mode `bypassPermissions`, in which the agent never asks for permission. Off by
    /// default.
    #[must_use]
    pub fn allow_bypass(mut self, allow: bool) -> Self {
        self.allow_bypass = allow;
        self
    }

    /// Whether a client's approval may reach further than its session.
    pub(crate) const fn shares_approvals(&self) -> bool {
        self.share_approvals
    }

    /// Lets clients write permission rules to settings files: those that an approval names as its destination
    /// (`userSettings`, `projectSettings`, `localSettings`), and the agents' `settings.json`. Other sessions,
    /// of other owners as well, read these files. Off by default: an approval then holds for its session alone.
    #[must_use]
    pub fn share_approvals(mut self, share: bool) -> Self {
        self.share_approvals = share;
        self
    }

    /// Whether this caller may make a session of a transcript that has none. Where callers have no names, all of
    /// them share all sessions.
    pub(crate) fn adopts_for(&self, caller: Option<&str>) -> bool {
        caller.is_none() || caller == self.adopter.as_deref()
    }

    /// Gives the transcripts in the transcript store that belong to no session, such as those of the Python
    /// server, to the principal of this name: its first request for such an id creates the session. By default
    /// they belong to nobody.
    #[must_use]
    pub fn adopt_for(mut self, name: impl Into<Arc<str>>) -> Self {
        self.adopter = Some(name.into());
        self
    }

    /// Sets what each session may cost, in US dollars. A client may choose less. At the limit the running turn is
    /// interrupted. Default: no limit.
    #[must_use]
    pub fn session_budget_usd(mut self, usd: impl Into<Option<f64>>) -> Self {
        self.budgets.session = usd.into();
        self
    }

    /// Sets what the sessions of one owner may cost on a day (UTC), in US dollars, on all hosts that share a database.
    /// Callers without a name are one owner. Default: no limit.
    #[must_use]
    pub fn owner_budget_usd_per_day(mut self, usd: impl Into<Option<f64>>) -> Self {
        self.budgets.owner_day = usd.into();
        self
    }

    /// Sets what all sessions together may cost on a day (UTC), in US dollars, on all hosts that share a database.
    /// Default: no limit.
    #[must_use]
    pub fn host_budget_usd_per_day(mut self, usd: impl Into<Option<f64>>) -> Self {
        self.budgets.host_day = usd.into();
        self
    }

    /// The budget of a session whose client wants this one.
    pub(crate) fn session_budget(&self, wanted: Option<f64>) -> Result<Option<f64>, Denied> {
        match (wanted, self.budgets.session) {
            (Some(wanted), Some(most)) if wanted > most => {
                Err(Denied(format!("budget_usd must not be above {most}")))
            }
            (wanted, most) => Ok(wanted.or(most)),
        }
    }

    /// Whether there is a budget that sessions share.
    pub(crate) fn has_day_budget(&self) -> bool {
        self.budgets.owner_day.or(self.budgets.host_day).is_some()
    }

    /// The day's budget that is used up.
    pub(crate) fn exceeded(&self, spent: &Spent, day_ends_ms: u64) -> Option<Exceeded> {
        let over = |budget, limit: Option<f64>, usd: f64| {
            let limit = limit.filter(|limit| usd >= *limit)?;
            Some(Exceeded::new(budget, limit, Some(day_ends_ms)))
        };
        let Budgets { owner_day, host_day, .. } = self.budgets;
        over(Budget::OwnerDay, owner_day, spent.owner_usd)
            .or_else(|| over(Budget::HostDay, host_day, spent.all_usd))
    }

    /// The workspaces as canonical paths; there is at least one.
    #[must_use]
    pub fn workspaces(&self) -> &[PathBuf] {
        &self.workspaces
    }

    /// Checks whether a session may start in this mode.
    pub(crate) fn start_in(&self, mode: &str) -> Result<(), Denied> {
        if mode != BYPASS && !MODES.contains(&mode) {
            return Err(Denied(format!("permission_mode must be one of {}", MODES.join(", "))));
        }
        self.change_to(mode)
    }

    /// Checks whether a session may change to this mode. Unknown modes pass: the agent refuses them.
    pub(crate) fn change_to(&self, mode: &str) -> Result<(), Denied> {
        if mode == BYPASS && !self.allow_bypass {
            return Err(Denied(format!("the mode {BYPASS} is not allowed here")));
        }
        Ok(())
    }

    /// Resolves the `cwd` of a client to a directory. Reads the file system.
    ///
    /// A relative path starts in the first workspace. Every failure has the same text, so that clients cannot
    /// probe paths outside the workspaces.
    pub(crate) fn directory(&self, cwd: Option<&str>) -> Result<PathBuf, Denied> {
        let first = &self.workspaces[0];
        match cwd {
            Some(cwd) => self.inside(&first.join(cwd)).ok_or_else(outside),
            None => Ok(first.clone()),
        }
    }

    /// Checks that this directory lies inside a workspace. Reads the file system.
    pub(crate) fn check_directory(&self, path: &Path) -> Result<(), Denied> {
        self.inside(path).map(drop).ok_or_else(outside)
    }

    /// Checks the directories that an approval opens to an agent which works in `cwd`. Reads the file system.
    pub(crate) fn open_to(&self, cwd: &Path, directories: &[String]) -> Result<(), Denied> {
        match directories.iter().find(|directory| self.inside(&cwd.join(directory)).is_none()) {
            Some(_) => Err(Denied(
                "updated_permissions may add directories inside the allowed workspaces only".to_owned(),
            )),
            None => Ok(()),
        }
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        canonical_dir(path).ok().filter(|dir| self.workspaces.iter().any(|root| dir.starts_with(root)))
    }
}

fn outside() -> Denied {
    Denied("cwd must be a directory inside an allowed workspace".to_owned())
}

fn canonical_dir(path: &Path) -> io::Result<PathBuf> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let canonical = path.canonicalize().map_err(about)?;
    if !canonical.is_dir() {
        return Err(about(io::ErrorKind::NotADirectory.into()));
    }
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// `<tmp>/work/{inner,file}`, `<tmp>/workshop`, `<tmp>/work/out -> <tmp>/workshop`, `<tmp>/in -> work/inner`
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("work/inner")).unwrap();
        fs::create_dir_all(base.join("workshop")).unwrap();
        fs::write(base.join("work/file"), "").unwrap();
        symlink(base.join("workshop"), base.join("work/out")).unwrap();
        symlink(base.join("work/inner"), base.join("in")).unwrap();
        (dir, base)
    }

    #[test]
    fn the_first_workspace_is_the_default_and_the_base_of_relative_paths() {
        let (_dir, base) = tree();
        let policy = Policy::new([base.join("work"), base.join("workshop")]).unwrap();
        assert_eq!(policy.directory(None).unwrap(), base.join("work"));
        assert_eq!(policy.directory(Some("inner")).unwrap(), base.join("work/inner"));
        assert_eq!(policy.directory(Some("")).unwrap(), base.join("work"));
    }

    #[test]
    fn what_resolves_inside_a_workspace_is_allowed() {
        let (_dir, base) = tree();
        let policy = Policy::new([base.join("work")]).unwrap();
        for cwd in ["work", "work/inner", "work/inner/..", "in"] {
            assert!(policy.directory(base.join(cwd).to_str()).is_ok(), "{cwd}");
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_checked_as_it_is() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

        let (_dir, base) = tree();
        let policy = Policy::new([base.join("work")]).unwrap();
        let [inside, outside] =
            ["work", "workshop"].map(|parent| base.join(parent).join(OsStr::from_bytes(b"\xff")));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        assert!(policy.check_directory(&inside).is_ok());
        assert!(policy.check_directory(&outside).is_err());
    }

    #[test]
    fn directories_that_an_approval_opens_lie_inside_the_workspaces() {
        let (_dir, base) = tree();
        let policy = Policy::new([base.join("work")]).unwrap();
        let open = |directory: &str| policy.open_to(&base.join("work/inner"), &[directory.to_owned()]);
        for inside in [".", "..", base.join("work/inner").to_str().unwrap()] {
            assert!(open(inside).is_ok(), "{inside}");
        }
        for outside in ["../..", "../out", "/etc", "~", "missing"] {
            assert!(open(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn everything_else_is_denied_in_the_same_words() {
        let (_dir, base) = tree();
        let policy = Policy::new([base.join("work")]).unwrap();
        let outside = ["", "workshop", "work/..", "work/out", "work/file", "work/missing", "missing"];
        let absolute = outside.iter().map(|cwd| base.join(cwd).display().to_string());
        let relative = ["..", "out", "inner/../../workshop", "/", "\0", "inner\0"].map(str::to_owned);
        for cwd in absolute.chain(relative) {
            let denied = policy.directory(Some(&cwd)).unwrap_err();
            assert_eq!(denied.0, "cwd must be a directory inside an allowed workspace", "{cwd}");
        }
    }

    #[test]
    fn a_workspace_must_be_a_directory() {
        let (_dir, base) = tree();
        for root in ["missing", "work/file"] {
            let error = Policy::new([base.join(root)]).unwrap_err().to_string();
            assert!(error.contains(root), "{error}");
        }
        assert!(Policy::new(Vec::<PathBuf>::new()).is_err());
    }

    #[test]
    fn modes() {
        let policy = Policy::new(["."]).unwrap();
        for mode in MODES {
            assert!(policy.start_in(mode).is_ok(), "{mode}");
        }
        for mode in ["bypassPermissions", "BypassPermissions", "--dangerously-skip-permissions", ""] {
            assert!(policy.start_in(mode).is_err(), "{mode}");
        }
        assert!(policy.change_to("bypassPermissions").is_err());
        assert!(policy.change_to("whatever").is_ok());
        let policy = policy.allow_bypass(true);
        assert!(policy.start_in(BYPASS).is_ok());
        assert!(policy.change_to(BYPASS).is_ok());
        assert!(policy.start_in("whatever").is_err());
    }
}
