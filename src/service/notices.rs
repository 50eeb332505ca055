//! Notices of events: what other programs are told that do not read the stream.

use std::{fmt, path::Path};

use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::layers::resume::Event;

/// The session that events belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noticed<'a> {
    pub(crate) id: &'a str,
    pub(crate) owner: Option<&'a str>,
    pub(crate) title: Option<&'a str>,
    pub(crate) cwd: &'a Path,
}

/// Makes records of events, and passes them on. Nothing here may wait: a session calls it between two events.
pub(crate) trait Notices: fmt::Debug + Send + Sync + 'static {
    /// The records of these events, which the event log stores with them.
    fn records(&self, of: &Noticed<'_>, events: &[Event]) -> Vec<Bytes>;

    /// Called after the event log has taken these records.
    fn stored(&self, records: Vec<Bytes>);

    /// Starts to pass records on, until `ending`. Further calls do nothing.
    fn start(&self, tasks: &TaskTracker, ending: &CancellationToken);
}
