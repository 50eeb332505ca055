//! A file of rules that can be reloaded while the server runs.

use std::path::Path;

use super::{SettingsError, reloaded::ReloadedFile};
use crate::approvals::Rules;

/// Opens a file of [`Rules`], and returns them; they change with each reload.
///
/// # Errors
/// The file cannot be read, or it is not a policy. The error names the line.
pub(super) fn open(path: &Path) -> Result<(Rules, ReloadedFile), SettingsError> {
    let rules = Rules::default();
    let served = rules.clone();
    let file = ReloadedFile::open("policy", path, Rules::from_toml, move |new| served.replace(&new))?;
    Ok((rules, file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::approvals::{Ask, Effect};

    #[tokio::test]
    async fn a_file_is_read_again_or_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        assert!(open(&path).unwrap_err().to_string().contains("policy.toml: "));
        fs::write(&path, "[[rule]]\neffect = \"allow\"").unwrap();
        let (rules, file) = open(&path).unwrap();
        let ask = Ask::new("Bash", json!({"command": "ls"}));
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
