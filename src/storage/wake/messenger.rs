//! The seam to what carries hints from host to host.

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Outgoing, Wake};
use crate::metrics;

/// Carries hints to other hosts, and passes theirs to [`Wake::receive`]. Both may fail without a word: whoever waits
/// for a hint also looks at the database.
pub(super) trait Messenger: Send + 'static {
    /// Sends hints to the hosts that wait for them. Those that cannot be sent are lost.
    fn say(&mut self, outgoing: Outgoing) -> impl Future<Output = ()> + Send;
}

/// Passes what this host has to say to its messenger. Ends when dropped.
#[derive(Debug)]
pub(in crate::storage) struct Speaker {
    tasks: TaskTracker,
    stop: CancellationToken,
    _stops_when_dropped: DropGuard,
}

impl Speaker {
    /// Must be called inside a tokio runtime.
    #[expect(private_bounds, reason = "the messengers are beside it")]
    pub(in crate::storage) fn start<M: Messenger>(
        messenger: impl Future<Output = M> + Send + 'static,
        wake: Wake,
    ) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let stops = stop.clone();
        tasks.spawn(async move {
            let speaking = async {
                let mut messenger = messenger.await;
                loop {
                    messenger.say(wake.outgoing().await).await;
                }
            };
            stops.run_until_cancelled(speaking).await;
        });
        Self { tasks, _stops_when_dropped: stop.clone().drop_guard(), stop }
    }

    /// Stops it.
    pub(in crate::storage) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Counts hints that were sent, or could not be sent.
pub(super) fn said(hints: usize, is_sent: bool) {
    metrics::hints(if is_sent { "sent" } else { "failed" }, hints);
}
