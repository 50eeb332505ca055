//! Prepares an agent's start: its transcript, from the CLI's own files or a transcript store, and its config
//! directory.

use std::{path::Path, sync::Arc};

use super::{
    error::StartError,
    process::{environment::Environment, supervisor::Memory},
    settings::Grace,
    transcripts::{
        cli_files::{self, Project},
        config_dirs::{ConfigDir, ConfigDirs, configured_dir},
        materialise::Past,
        mirror::{Keys, Mirror},
    },
};
use crate::{agent::SessionSpec, storage::transcripts::AnyTranscriptStore};

/// How to start an agent.
#[derive(Debug)]
pub(super) struct Start {
    /// Whether the CLI resumes from a transcript.
    pub(super) resume: bool,
    pub(super) environment: Environment,
    pub(super) memory: Memory,
}

/// Starts with the operator's config directory and the transcripts in it. Blocks while it reads a transcript.
pub(super) fn from_files(environment: Environment, spec: &SessionSpec, cwd: &Path) -> Start {
    let config_dir = configured_dir(&environment).filter(|_| spec.resume);
    let resume = config_dir.is_some_and(|folder| {
        cli_files::can_resume(&folder, cwd, &spec.session_id).unwrap_or_else(|error| {
            let session = &spec.session_id;
            tracing::warn!(%error, session, "cannot read the transcript; the session starts without it");
            false
        })
    });
    Start { resume, environment, memory: Memory::default() }
}

/// Starts with a private config directory that holds the session's transcript from the transcript store.
pub(super) async fn from_store(
    store: &AnyTranscriptStore,
    grace: &Grace,
    config_dirs: &Arc<ConfigDirs>,
    mut environment: Environment,
    spec: &SessionSpec,
    cwd: &Path,
) -> Result<Start, StartError> {
    let project = Project::of(cwd);
    let past = match spec.resume {
        true => Past::load(&**store, &project, &spec.session_id).await.map_err(StartError::Transcript)?,
        false => None,
    };
    let project_key = past.as_ref().map(|past| past.key.project_key.clone());
    let past = past.filter(Past::holds_a_message);
    let resume = past.is_some();
    let config_dirs = Arc::clone(config_dirs);
    let furnished = tokio::task::spawn_blocking(move || {
        let config_dir = config_dirs.make(&environment)?;
        if let Some(past) = past {
            past.write(config_dir.path(), &project)?;
        }
        if let Some(folder) = project.folder() {
            config_dir.share_memory(&environment, folder)?;
        }
        environment.insert("CLAUDE_CONFIG_DIR".into(), config_dir.path().into());
        Ok((config_dir, environment))
    });
    let (config_dir, environment): (ConfigDir, _) = match furnished.await {
        Ok(furnished) => furnished.map_err(StartError::Folder)?,
        Err(error) => return Err(StartError::Folder(error.into())),
    };
    let keys = Keys::new(config_dir.path(), &spec.session_id, project_key);
    let mirror = Mirror::new(store.clone(), keys, grace.store);
    Ok(Start { resume, environment, memory: Memory { mirror: Some(mirror), config_dir: Some(config_dir) } })
}
