//! [`ReloadedFile`]: a file of settings that can be read again while the server runs.

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
    sync::Arc,
};

use super::SettingsError;

/// Puts the content of a file in force.
type Apply = Box<dyn FnOnce() + Send>;

type Read = Arc<dyn Fn(&Path) -> Result<Apply, SettingsError> + Send + Sync>;

/// Reads a file of settings. An error names the file.
pub(super) fn read<T, E: Display>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, SettingsError> {
    let unusable = |what: &dyn Display| SettingsError::new(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| unusable(&error))?;
    parse(&text).map_err(|error| unusable(&error))
}

/// A file of settings that can be read again while the server runs. The binary does it on SIGHUP.
#[derive(Clone)]
pub struct ReloadedFile {
    what: &'static str,
    path: Arc<Path>,
    read: Read,
}

impl ReloadedFile {
    /// Reads the file for the first time. `replace` puts what `parse` returns in force.
    pub(super) fn open<T: Send + 'static, E: Display>(
        what: &'static str,
        path: &Path,
        parse: impl Fn(&str) -> Result<T, E> + Send + Sync + 'static,
        replace: impl Fn(T) + Clone + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        let read = move |path: &Path| -> Result<Apply, SettingsError> {
            let (new, replace) = (read(path, &parse)?, replace.clone());
            Ok(Box::new(move || replace(new)))
        };
        read(path)?();
        Ok(Self { what, path: path.into(), read: Arc::new(read) })
    }

    /// What is in the file: `tokens`, `profiles`, `policy` or `webhooks`.
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
