//! [`ReloadedFile`]: a file of settings that can be read again while the server runs.

use std::{fmt, path::Path, sync::Arc};

use super::SettingsError;

/// Puts the content of a file in force.
pub(super) type Apply = Box<dyn FnOnce() + Send>;

type Read = Arc<dyn Fn(&Path) -> Result<Apply, SettingsError> + Send + Sync>;

/// A file of settings that can be read again while the server runs. The binary does it on SIGHUP.
#[derive(Clone)]
pub struct ReloadedFile {
    what: &'static str,
    path: Arc<Path>,
    read: Read,
}

impl ReloadedFile {
    pub(super) fn new(
        what: &'static str,
        path: &Path,
        read: impl Fn(&Path) -> Result<Apply, SettingsError> + Send + Sync + 'static,
    ) -> Self {
        Self { what, path: path.into(), read: Arc::new(read) }
    }

    /// Reads the file for the first time.
    pub(super) fn first(self) -> Result<Self, SettingsError> {
        (self.read)(&self.path)?();
        Ok(self)
    }

    /// What is in the file: `tokens`, `profiles` or `policy`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file again, on a thread where it may block. From the next request on its content replaces the previous
    /// one. If the future is dropped before it is ready, nothing changes.
    ///
    /// # Errors
    /// The file cannot be read or is malformed. Its previous content then stays in force.
    pub async fn reload(&self) -> Result<(), SettingsError> {
        let Self { path, read, .. } = self.clone();
        let outcome = tokio::task::spawn_blocking(move || read(&path)).await;
        outcome.unwrap_or_else(|error| Err(SettingsError::new(error.to_string())))?();
        Ok(())
    }
}

impl fmt::Debug for ReloadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadedFile")
            .field("what", &self.what)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
