//! [`AgentUser`]: the unprivileged user that agents run as, and file access with its rights.
//!
//! The server, which is root then, reads and writes in an agent's config directory, where the agent can put links
//! in its way. So it does this on a thread that has the user's rights and no others: the kernel refuses what the
//! agent itself could not reach, and new files belong to the user.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, lchown},
    panic,
    path::{Path, PathBuf},
    thread,
};

use tokio::process::Command;

use super::error::SetupError;

/// The file in which users are looked up.
const USERS: &str = "/etc/passwd";

/// The number that stands for "as before" in system calls that set a user or group id.
#[cfg(target_os = "linux")]
const UNCHANGED: u32 = u32::MAX;

/// An unprivileged system user that agents run as, with its primary group and no other group: see
/// [`Claude::agent_user`](super::Claude::agent_user).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentUser {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl AgentUser {
    /// A user with this name, user id, primary group id and home directory.
    pub fn new(name: impl Into<String>, uid: u32, gid: u32, home: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), uid, gid, home: home.into() }
    }

    /// The user of this name in `/etc/passwd`. For users that are defined elsewhere, such as in LDAP, there is
    /// [`new`](Self::new).
    ///
    /// # Errors
    /// There is no such user, or `/etc/passwd` cannot be read.
    pub fn named(name: &str) -> Result<Self, SetupError> {
        let users = fs::read_to_string(USERS)
            .map_err(|error| SetupError::new(format!("{USERS} cannot be read: {error}")))?;
        let user = users.lines().find_map(|line| Self::parse(line).filter(|user| user.name == name));
        user.ok_or_else(|| SetupError::new(format!("there is no user {name} in {USERS}")))
    }

    /// Reads `name:password:uid:gid:comment:home:shell`.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self::new(name, uid, gid, fields.nth(1)?))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its home directory.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Checks that this process can run agents as this user, and end them.
    #[cfg(target_os = "linux")]
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        use rustix::{
            process::geteuid,
            thread::{CapabilitySet, capabilities},
        };

        if !geteuid().is_root() {
            return Err(SetupError::new("agents can run as another user only if the server runs as root"));
        }
        if !self.is_unprivileged() {
            return Err(SetupError::new("agents must not run as root: name an unprivileged user"));
        }
        // SYS_PTRACE is needed to read the environments by which processes are found; containers often lack it.
        let needed = CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::FOWNER
            | CapabilitySet::KILL
            | CapabilitySet::SETGID
            | CapabilitySet::SETUID
            | CapabilitySet::SYS_PTRACE;
        let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let missing: Vec<_> = (needed - held).iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
        match &missing[..] {
            [] => Ok(()),
            missing => Err(SetupError::new(format!(
                "a server whose agents run as another user needs the capability {}",
                missing.join(", ")
            ))),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        Err(SetupError::new("agents can run as another user on Linux only"))
    }

    /// Whether the kernel takes its ids for those of a user who is not root. [`UNCHANGED`] is no id.
    #[cfg(target_os = "linux")]
    const fn is_unprivileged(&self) -> bool {
        self.uid != 0 && self.uid != UNCHANGED && self.gid != UNCHANGED
    }

    /// Makes a command run as this user. The supplementary groups of the server are dropped.
    pub(crate) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a directory to this user. Nobody but root may be able to write to its parent.
    pub(crate) fn take(&self, folder: &Path) -> io::Result<()> {
        lchown(folder, Some(self.uid), Some(self.gid))
    }

    /// Whether this user can put something else in the place of what others have in this directory.
    pub(crate) fn can_replace_in(&self, folder: &Path) -> bool {
        fs::metadata(folder).is_ok_and(|folder| {
            let may = |bit| folder.mode() & bit != 0;
            let can_write = may(0o002) || folder.gid() == self.gid && may(0o020);
            let is_sticky = may(0o1000);
            folder.uid() == self.uid || can_write && !is_sticky
        })
    }

    /// Gives this user's rights to the current thread for good, which must be used for nothing else afterwards.
    #[cfg(target_os = "linux")]
    fn take_thread(&self) -> io::Result<()> {
        use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

        if !self.is_unprivileged() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        set_thread_groups(&[])?;
        set_thread_res_gid(None, Gid::from_raw(self.gid), None)?;
        // The real user stays root, so that no process of the user can signal this thread. Measured: the kernel takes
        // away root's rights over files with the effective user.
        Ok(set_thread_res_uid(None, Uid::from_raw(self.uid), None)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn take_thread(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Accesses files with the rights of this user, or else with the server's own. Blocks.
pub(crate) fn act_as<T: Send>(
    user: Option<&AgentUser>,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let Some(user) = user else { return work() };
    thread::scope(|scope| {
        let acting = || user.take_thread().and_then(|()| work());
        let acting = thread::Builder::new().spawn_scoped(scope, acting)?;
        acting.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn users_are_found_by_their_names() {
        let ada = "ada:x:1001:1002:Ada,,,:/home/ada:/bin/sh";
        assert_eq!(AgentUser::parse(ada), Some(AgentUser::new("ada", 1001, 1002, "/home/ada")));
        for other in ["", "+::::::", "ada:x:1001", "ada:x:one:1:::", "# ada:x:"] {
            assert_eq!(AgentUser::parse(other), None, "{other:?}");
        }
        assert_eq!(AgentUser::named("root").unwrap().uid, 0);
        let unknown = AgentUser::named("no-such-user").unwrap_err().to_string();
        assert_eq!(unknown, "there is no user no-such-user in /etc/passwd");
    }

    #[test]
    fn what_lies_in_a_directory_is_safe_unless_the_user_can_write_to_it_or_owns_it() {
        let root = tempfile::tempdir().unwrap();
        let found = fs::metadata(root.path()).unwrap();
        let nobodys = 3_000_000;
        let [own, of_group, other] = [(found.uid(), nobodys), (nobodys, found.gid()), (nobodys, nobodys)]
            .map(|(uid, gid)| AgentUser::new("ada", uid, gid, "/nonexistent"));
        for (mode, by_group, by_others) in
            [(0o711, false, false), (0o770, true, false), (0o777, true, true), (0o1777, false, false)]
        {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
            let can = [&own, &of_group, &other].map(|user| user.can_replace_in(root.path()));
            assert_eq!(can, [true, by_group, by_others], "{mode:o}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn file_access_has_the_users_rights_and_no_others() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can act as another user");
            return;
        }
        let user = AgentUser::new("nobody", 65534, 65534, "/nonexistent");
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let (secret, own) = (root.path().join("secret"), root.path().join("own"));
        fs::write(&secret, "secret").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(&own).unwrap();
        user.take(&own).unwrap();

        let (link, file) = (own.join("link"), own.join("file"));
        let planted = act_as(Some(&user), || symlink(&secret, &link).and_then(|()| fs::write(&file, "own")));
        planted.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().uid(), 65534);
        let denied = [
            act_as(Some(&user), || fs::read(&link).map(drop)),
            act_as(Some(&user), || fs::write(&link, "spoilt")),
            act_as(Some(&user), || fs::read_dir(root.path()).map(drop)),
            act_as(Some(&user), || lchown(&file, Some(0), Some(0))),
        ];
        for denied in denied {
            assert_eq!(denied.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        for (uid, gid) in [(0, 1), (UNCHANGED, 1), (1, UNCHANGED)] {
            let no_other = AgentUser::new("nobody", uid, gid, "/nonexistent");
            act_as(Some(&no_other), || Ok(())).unwrap_err();
        }
        assert_eq!(fs::read(&secret).unwrap(), b"secret", "this thread is still root");
        assert_eq!(act_as(None, || fs::read(&link)).unwrap(), b"secret");
    }
}
