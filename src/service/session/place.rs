//! Where a session is: in this process, or on another host.

use std::{path::Path, sync::Arc, time::SystemTime};

use super::live::{Ending, Live};
use crate::{
    layers::resume::EventLog,
    storage::catalog::{SessionMetadata, SessionRecord},
    unix_ms,
};

/// A session, wherever it is.
pub(crate) enum Place<L: EventLog> {
    /// In memory here.
    Here(Live<L>),
    /// On another host, as this one knows it.
    Elsewhere(Arc<Remote<L::Stream>>),
}

/// A session that another host runs.
pub(crate) struct Remote<S> {
    pub(crate) record: SessionRecord,
    /// Its stream, followed here.
    pub(crate) stream: S,
    pub(crate) ending: Ending,
}

/// What was chosen for a session.
pub(crate) struct Choices {
    pub(crate) profile: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) permission_mode: Option<String>,
    pub(crate) title: Option<String>,
}

impl<L: EventLog> Place<L> {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Here(live) => &live.id,
            Self::Elsewhere(remote) => &remote.record.id,
        }
    }

    pub(crate) fn owner(&self) -> Option<&str> {
        match self {
            Self::Here(live) => live.owner.as_deref(),
            Self::Elsewhere(remote) => remote.record.owner.as_deref(),
        }
    }

    pub(crate) fn cwd(&self) -> &Path {
        match self {
            Self::Here(live) => &live.cwd,
            Self::Elsewhere(remote) => &remote.record.cwd,
        }
    }

    pub(crate) fn created_at(&self) -> SystemTime {
        match self {
            Self::Here(live) => live.created_at,
            Self::Elsewhere(remote) => unix_ms::time(remote.record.created_at_ms.unsigned_abs()),
        }
    }

    /// What was chosen for it.
    pub(crate) fn choices(&self) -> Choices {
        match self {
            Self::Here(live) => {
                let latest = live.latest();
                Choices {
                    profile: live.profile.clone(),
                    model: latest.model.clone(),
                    permission_mode: latest.permission_mode.clone(),
                    title: latest.title.clone(),
                }
            }
            Self::Elsewhere(remote) => {
                let SessionMetadata { model, permission_mode, title, .. } = remote.record.metadata.clone();
                Choices { profile: remote.record.profile.clone(), model, permission_mode, title }
            }
        }
    }

    pub(crate) fn stream(&self) -> &L::Stream {
        match self {
            Self::Here(live) => &live.stream,
            Self::Elsewhere(remote) => &remote.stream,
        }
    }

    /// Tells the readers why the stream ends.
    pub(crate) fn ending(&self) -> &Ending {
        match self {
            Self::Here(live) => &live.ending,
            Self::Elsewhere(remote) => &remote.ending,
        }
    }
}

impl<L: EventLog> Clone for Place<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Here(live) => Self::Here(Arc::clone(live)),
            Self::Elsewhere(remote) => Self::Elsewhere(Arc::clone(remote)),
        }
    }
}
