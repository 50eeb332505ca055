//! Prepares an agent's start: its transcript, from the CLI's own files or a transcript store, and its config
//! directory.

use std::{path::Path, sync::Arc};

use super::{
    agent_user::act_as,
    error::StartError,
    process::{environment::Environment, supervisor::Memory},
    protocol::decode::Mirrored,
    settings::Settings,
    transcripts::{
        cli_files::{self, Project},
        config_dirs::{ConfigDir, ConfigDirs, Shared, configured_dir},
        deferred::Deferred,
        fork,
        kept_files::KeptFiles,
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

/// Starts with a private config directory whose session files are the operator's.
pub(super) async fn from_files(
    settings: &Settings,
    config_dirs: &Arc<ConfigDirs>,
    mut environment: Environment,
    spec: &SessionSpec,
    cwd: &Path,
) -> Result<Start, StartError> {
    let (session, resume, cwd) = (spec.session_id.clone(), spec.resume, cwd.to_owned());
    let fork = spec.fork.clone();
    let deferred = Deferred::of(spec);
    let shared = Shared { session_files: true, settings: spec.share_settings };
    let (config_dirs, user) = (Arc::clone(config_dirs), settings.user.clone());
    let furnished = tokio::task::spawn_blocking(move || {
        let folder = configured_dir(&environment).filter(|_| resume);
        if let Some(fork) = fork {
            let copy =
                |folder: &Path| act_as(user.as_ref(), || fork::copy_files(folder, &cwd, &fork, &session));
            if !folder.as_deref().map_or(Ok(false), copy)? {
                return Ok(None);
            }
        }
        let resume = folder.is_some_and(|folder| {
            let resumable = act_as(user.as_ref(), || {
                let resumable = cli_files::can_resume(&folder, &cwd, &session)?;
                if resumable {
                    cli_files::defer(&folder, &cwd, &session, &deferred)?;
                }
                Ok(resumable)
            });
            resumable.unwrap_or_else(|error| {
                tracing::warn!(%error, session, "cannot read the transcript; the session starts without it");
                false
            })
        });
        let config_dir = config_dirs.make(&environment, shared, user)?;
        environment.insert("CLAUDE_CONFIG_DIR".into(), config_dir.path().into());
        let memory = Memory { mirror: None, config_dir: Some(config_dir) };
        Ok(Some(Start { resume, environment, memory }))
    });
    let furnished = furnished.await.unwrap_or_else(|error| Err(error.into()));
    furnished.map_err(StartError::Folder)?.ok_or(StartError::NoFork)
}

/// Starts with a private config directory that holds the session's transcript from the transcript store.
pub(super) async fn from_store(
    store: &AnyTranscriptStore,
    settings: &Settings,
    config_dirs: &Arc<ConfigDirs>,
    mut environment: Environment,
    spec: &SessionSpec,
    cwd: &Path,
) -> Result<Start, StartError> {
    let project = Project::of(cwd);
    let past = match &spec.fork {
        Some(fork) => {
            let forked = Past::fork(&**store, &project, fork, &spec.session_id).await;
            Some(forked.map_err(StartError::Transcript)?.ok_or(StartError::NoFork)?)
        }
        None if spec.resume => {
            Past::load(&**store, &project, &spec.session_id).await.map_err(StartError::Transcript)?
        }
        None => None,
    };
    // The CLI moves a transcript to another project when it enters a worktree; the key stays the same.
    let project_key = past.as_ref().map(|past| past.key.project_key.as_str()).or(project.folder());
    let project_key = project_key.map(str::to_owned);
    let mut past = past.filter(Past::holds_a_message);
    let resume = past.is_some();
    let deferred = past.as_mut().map(|past| past.defer(&Deferred::of(spec))).unwrap_or_default();
    let (config_dirs, user) = (Arc::clone(config_dirs), settings.user.clone());
    let shared = Shared { session_files: false, settings: spec.share_settings };
    let furnished = tokio::task::spawn_blocking(move || {
        let config_dir = config_dirs.make(&environment, shared, user.clone())?;
        let path = past.as_ref().map(|past| past.path(config_dir.path(), &project));
        let files = act_as(user.as_ref(), || {
            if let Some(past) = &past {
                past.write(config_dir.path(), &project)?;
            }
            if let Some(folder) = project.folder() {
                config_dir.share_memory(&environment, folder)?;
            }
            Ok(KeptFiles::new(config_dir.path(), user.clone()))
        })?;
        environment.insert("CLAUDE_CONFIG_DIR".into(), config_dir.path().into());
        Ok((config_dir, files, environment, path))
    });
    let (config_dir, files, environment, path): (ConfigDir, _, _, _) = match furnished.await {
        Ok(furnished) => furnished.map_err(StartError::Folder)?,
        Err(error) => return Err(StartError::Folder(error.into())),
    };
    let keys = Keys::new(config_dir.path(), &spec.session_id, project_key);
    let mut mirror = Mirror::new(store.clone(), keys, files, settings.grace.store);
    if let Some(path) = path.filter(|_| !deferred.is_empty()) {
        // The CLI continues from these entries, so the transcript store needs them before its own.
        mirror.take(Mirrored { path: path.to_string_lossy().into_owned(), entries: deferred });
    }
    Ok(Start { resume, environment, memory: Memory { mirror: Some(mirror), config_dir: Some(config_dir) } })
}
