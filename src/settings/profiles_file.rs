//! A TOML file of profiles that can be reloaded while the server runs.

use std::{collections::BTreeMap, path::Path};

use super::{SettingsError, reloaded::ReloadedFile};
use crate::claude::{Options, Profiles};

/// Opens a file of profiles, and returns them; they change with each reload.
///
/// # Errors
/// The file cannot be read, or is malformed. The error says where, in one line.
pub(super) fn open(path: &Path) -> Result<(Profiles, ReloadedFile), SettingsError> {
    let profiles = Profiles::new();
    let served = profiles.clone();
    let file = ReloadedFile::open("profiles", path, parse, move |new| served.replace(new))?;
    Ok((profiles, file))
}

fn parse(text: &str) -> Result<BTreeMap<String, Options>, String> {
    toml::from_str(text).map_err(|error| {
        let line = 1 + text[..error.span().map_or(0, |span| span.start)].matches('\n').count();
        format!("line {line}: {}", error.message().replace('\n', ", "))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_reload_changes_all_profiles_or_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text| fs::write(file.path(), text).unwrap();
        write("[review]\ntools = [\"Read\"]\n[review.settings]\nmodel = \"x\"\n");
        let (profiles, opened) = open(file.path()).unwrap();
        let settings = serde_json::Map::from_iter([("model".to_owned(), "x".into())]);
        assert_eq!(profiles.get("review"), Some(Options::new().tools(["Read"]).settings(settings)));
        write("[other]\nmax_turns = 3\n\n[wrong]\ntool = []\n");
        let error = opened.reload().await.unwrap_err().to_string();
        assert!(error.contains("line 5: unknown field `tool`") && !error.contains('\n'), "{error}");
        assert!(profiles.get("review").is_some() && profiles.get("other").is_none());
        write("[other]\nmax_turns = 3\n");
        opened.reload().await.unwrap();
        assert_eq!(
            (profiles.get("review"), profiles.get("other")),
            (None, Some(Options::new().max_turns(3)))
        );
    }
}
