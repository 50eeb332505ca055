//! A block device whose writes fail when the test says so, with a file system on it. Only root may have one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A compressed device in memory, mounted. Where its memory is limited to a page, the kernel fails every write to it.
#[derive(Debug)]
pub(crate) struct Device {
    /// Such as `zram1`.
    name: String,
    folder: TempDir,
}

impl Device {
    /// `None`, with a word about it, where this user or this kernel cannot have one.
    pub(crate) fn mount() -> Option<Self> {
        let device = Self::attach();
        if device.is_none() {
            eprintln!("skipped: only root can have a device in memory, with zram and mkfs.ext4");
        }
        device
    }

    fn attach() -> Option<Self> {
        let number = fs::read_to_string("/sys/class/zram-control/hot_add").ok()?;
        let device = Self { name: format!("zram{}", number.trim()), folder: tempfile::tempdir().ok()? };
        fs::write(device.setting("disksize"), "64M").ok()?;
        // Without a journal, which ends for good with the first write that fails.
        let made = run(Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(device.file()));
        (made && device.mount_it()).then_some(device)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From now on writes fail, as soon as they reach the device.
    pub(crate) fn fail(&self) {
        self.limit("4096");
    }

    pub(crate) fn mend(&self) {
        self.limit("0");
    }

    /// Makes the kernel remount it read-only, as after a fault of the file system.
    pub(crate) fn make_read_only(&self) {
        fs::write(format!("/sys/fs/ext4/{}/trigger_fs_error", self.name), "a test").expect("a setting");
    }

    /// Mounts it again, once no process has a file on it open.
    pub(crate) fn mount_again(&self) {
        assert!(run(Command::new("umount").arg(self.path())), "it is unmounted");
        assert!(self.mount_it(), "it is mounted");
    }

    fn mount_it(&self) -> bool {
        let options = ["-t", "ext4", "-o", "errors=remount-ro"];
        run(Command::new("mount").args(options).arg(self.file()).arg(self.path()))
    }

    fn limit(&self, bytes: &str) {
        fs::write(self.setting("mem_limit"), bytes).expect("a setting");
    }

    fn setting(&self, name: &str) -> PathBuf {
        Path::new("/sys/block").join(&self.name).join(name)
    }

    fn file(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.path()));
        let number = self.name.trim_start_matches("zram");
        // Where it is still in use, it stays.
        let _ = fs::write("/sys/class/zram-control/hot_remove", number);
    }
}

fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
