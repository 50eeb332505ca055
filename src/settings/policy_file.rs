//! A file of rules that can be reloaded while the server runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::SettingsError;
use crate::approvals::Rules;

/// A file of [`Rules`].
#[derive(Clone, Debug)]
pub struct PolicyFile {
    path: Arc<Path>,
    rules: Rules,
}

impl PolicyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, or it is not a policy. The error names the line.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SettingsError> {
        let path: Arc<Path> = path.into().into();
        let rules = read(&path)?;
        Ok(Self { path, rules })
    }

    /// The rules. They change with each [`reload`](Self::reload).
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules.clone()
    }

    /// Reads the file again, on a thread where it may block. From the next prompt on its rules replace the previous ones.
    ///
    /// # Errors
    /// As for [`open`](Self::open). The rules then stay unchanged.
    pub async fn reload(&self) -> Result<(), SettingsError> {
        let path = Arc::clone(&self.path);
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let rules = read.unwrap_or_else(|error| Err(SettingsError::new(error.to_string())))?;
        self.rules.replace(&rules);
        Ok(())
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read(path: &Path) -> Result<Rules, SettingsError> {
    let unusable = |what: String| SettingsError::new(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    Rules::from_toml(&text).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::approvals::{Ask, Effect};

    #[tokio::test]
    async fn a_file_is_read_again_or_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        assert!(PolicyFile::open(&path).unwrap_err().to_string().contains("policy.toml: "));
        fs::write(&path, "[[rule]]\neffect = \"allow\"").unwrap();
        let file = PolicyFile::open(&path).unwrap();
        let (rules, ask) = (file.rules(), Ask::new("Bash", json!({"command": "ls"})));
        assert_eq!(rules.effect(&ask), Some(Effect::Allow));
        fs::write(&path, "[[rule]]\neffect = \"deny\"").unwrap();
        file.reload().await.unwrap();
        assert_eq!(rules.effect(&ask), Some(Effect::Deny));
        fs::write(&path, "[[rule]]\neffect = 3").unwrap();
        let error = file.reload().await.unwrap_err().to_string();
        assert!(error.contains("policy.toml: line 2: "), "{error}");
        assert_eq!(rules.effect(&ask), Some(Effect::Deny));
    }
}
