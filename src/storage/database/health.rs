//! The one policy for calls to the database: each has a time limit, and what fails is noted until it works again.

#[cfg(feature = "sqlite")]
use std::time::Instant;
use std::{
    error::Error as StdError,
    future::Future,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use super::{error::reason, fault::is_fault_of_row};
use crate::sync::lock;

/// Maximum time for a call that reads or writes a few rows.
const FEW_ROWS: Duration = Duration::from_secs(5);
/// Maximum time for a call that reads or writes as many rows as there are.
const MANY_ROWS: Duration = Duration::from_secs(30);

/// What uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Catalog,
    Events,
    Transcripts,
}

/// One call to the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    component: Component,
    writes: bool,
    limit: Duration,
}

/// What does not work of a database, as the last calls of each component found it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    faults: Mutex<[Option<String>; 3]>,
    /// When a SQLite error last spoilt connections: those that are older are not used again.
    #[cfg(feature = "sqlite")]
    spoilt: Mutex<Option<Instant>>,
}

/// An error of a call, which may come from the database.
pub(crate) trait CallError: From<sqlx::Error> + StdError {
    fn of_database(&self) -> Option<&sqlx::Error>;
}

impl CallError for sqlx::Error {
    fn of_database(&self) -> Option<&sqlx::Error> {
        Some(self)
    }
}

impl Component {
    const ALL: [Self; 3] = [Self::Catalog, Self::Events, Self::Transcripts];

    pub(crate) const fn reads(self) -> Call {
        Call { component: self, writes: false, limit: FEW_ROWS }
    }

    pub(crate) const fn writes(self) -> Call {
        Call { component: self, writes: true, limit: FEW_ROWS }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Catalog => "the session catalog",
            Self::Events => "the event log",
            Self::Transcripts => "the transcript store",
        }
    }
}

impl Call {
    pub(crate) const fn of_many_rows(self) -> Self {
        Self { limit: MANY_ROWS, ..self }
    }
}

impl Health {
    /// Awaits one call; fails with `PoolTimedOut` if it takes too long.
    pub(crate) async fn call<T, E: CallError>(
        &self,
        Call { component, writes, limit }: Call,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome =
            tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()));
        match &outcome {
            // A read says nothing about writes: a full disk can be read.
            Ok(_) if writes => self.works(component),
            Ok(_) => {}
            Err(error) => {
                if let Some(error) = error.of_database().filter(|error| !is_fault_of_row(error)) {
                    self.fails(component, error);
                }
            }
        }
        outcome
    }

    /// The components that do not work.
    pub(crate) fn faulty(&self) -> Vec<Component> {
        let faults = self.faults();
        Component::ALL.into_iter().filter(|component| faults[*component as usize].is_some()).collect()
    }

    /// Why a component does not work, as a sentence without secrets; `None` if all of them work.
    pub(crate) fn fault(&self) -> Option<String> {
        let faults = self.faults();
        Component::ALL.into_iter().find_map(|component| {
            let why = faults[component as usize].as_ref()?;
            Some(format!("{} does not work: {why}", component.name()))
        })
    }

    /// Whether an error spoilt the SQLite connections that are of this age.
    #[cfg(feature = "sqlite")]
    pub(super) fn has_spoilt(&self, age: Duration) -> bool {
        lock(&self.spoilt).is_some_and(|at| at.elapsed() <= age)
    }

    fn works(&self, component: Component) {
        if self.faults()[component as usize].take().is_some() {
            tracing::info!(component = component.name(), "the database works again");
        }
    }

    fn fails(&self, component: Component, error: &sqlx::Error) {
        #[cfg(feature = "sqlite")]
        if super::fault::spoils_connection(error) {
            *lock(&self.spoilt) = Some(Instant::now());
        }
        let why = reason(error);
        let before = self.faults()[component as usize].replace(why.clone());
        if before.is_none() {
            tracing::warn!(
                component = component.name(),
                why,
                "the database does not work; calls are repeated"
            );
        }
    }

    fn faults(&self) -> MutexGuard<'_, [Option<String>; 3]> {
        lock(&self.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fails(health: &Health, call: Call) {
        let failed: Result<(), _> = health.call(call, async { Err(sqlx::Error::PoolTimedOut) }).await;
        failed.unwrap_err();
    }

    async fn works(health: &Health, call: Call) {
        health.call(call, async { Ok::<_, sqlx::Error>(()) }).await.unwrap();
    }

    #[tokio::test]
    async fn a_component_that_fails_works_again_once_it_writes() {
        let health = Health::default();
        assert_eq!(health.fault(), None);
        fails(&health, Component::Catalog.reads()).await;
        let fault = "the session catalog does not work: it did not answer in time";
        assert_eq!(health.fault().as_deref(), Some(fault));
        works(&health, Component::Catalog.reads()).await;
        works(&health, Component::Events.writes()).await;
        assert_eq!(health.faulty(), [Component::Catalog]);
        works(&health, Component::Catalog.writes()).await;
        assert_eq!(health.fault(), None);
    }

    #[tokio::test]
    async fn a_row_that_is_refused_is_no_fault() {
        let health = Health::default();
        let refused: Result<(), _> = health
            .call(Component::Events.writes(), async { Err(sqlx::Error::Encode("too long".into())) })
            .await;
        refused.unwrap_err();
        assert_eq!(health.fault(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_fails() {
        let health = Health::default();
        for call in [Component::Catalog.reads(), Component::Transcripts.writes().of_many_rows()] {
            let hung: Result<(), _> =
                health.call(call, std::future::pending::<Result<_, sqlx::Error>>()).await;
            assert!(matches!(hung, Err(sqlx::Error::PoolTimedOut)));
        }
        assert_eq!(health.faulty(), [Component::Catalog, Component::Transcripts]);
    }
}
