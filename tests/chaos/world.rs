//! What everyone in a campaign shares.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{hosts::Hosts, ledger::Ledger, settings::Settings, support::Random};

/// Maximum time for something to happen while there are faults. An outage may last 120 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The hosts, the ledger, and whether the faults are over.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) hosts: Hosts,
    pub(crate) ledger: Ledger,
    pub(crate) workspace: PathBuf,
    pub(crate) seed: u64,
    /// Readers of each session beside the person.
    pub(crate) watchers: u64,
    over: AtomicBool,
}

impl World {
    pub(crate) fn new(hosts: Hosts, workspace: PathBuf, settings: Settings) -> Self {
        let Settings { seed, watchers, .. } = settings;
        Self { hosts, ledger: Ledger::new(), workspace, seed, watchers, over: AtomicBool::new(false) }
    }

    /// The random numbers of one actor. They depend on the campaign's seed.
    pub(crate) fn random(&self, actor: u64) -> Random {
        Random::new(self.seed.wrapping_mul(0x0100_0000_01b3) ^ actor)
    }

    /// The path of a file that outlives the campaign.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}-{name}", self.seed))
    }

    /// Ends the campaign: people finish what they have begun.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Waits for a random time below `limit`.
pub(crate) async fn pause(random: &mut Random, limit: Duration) {
    let millis = u64::try_from(limit.as_millis()).expect("a short time");
    tokio::time::sleep(Duration::from_millis(random.below(millis))).await;
}
