//! An outbox in memory, for sessions that are stored nowhere.

use std::{
    future::ready,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Claimed, Records};
use crate::{storage::catalog::CatalogFuture, sync::lock};

/// Records that end with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryRecords {
    waiting: Mutex<Vec<(Instant, Claimed)>>,
    serial: AtomicI64,
}

impl MemoryRecords {
    fn waiting(&self) -> MutexGuard<'_, Vec<(Instant, Claimed)>> {
        lock(&self.waiting)
    }
}

impl Records for MemoryRecords {
    fn add(&self, records: Vec<Bytes>) {
        let now = Instant::now();
        let new = |record| {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            (now, Claimed { serial, attempts: 0, record })
        };
        self.waiting().extend(records.into_iter().map(new));
    }

    fn is_due(&self) -> CatalogFuture<'_, bool> {
        let now = Instant::now();
        Box::pin(ready(Ok(self.waiting().iter().any(|(due, _)| *due <= now))))
    }

    fn claim(&self, limit: usize, time: Duration) -> CatalogFuture<'_, Vec<Claimed>> {
        let now = Instant::now();
        let mut waiting = self.waiting();
        waiting.sort_by_key(|(due, claimed)| (*due, claimed.serial));
        let due = waiting.iter_mut().take(limit).take_while(|(due, _)| *due <= now);
        let claimed = due.map(|(due, claimed)| {
            *due = now + time;
            claimed.attempts += 1;
            claimed.clone()
        });
        Box::pin(ready(Ok(claimed.collect())))
    }

    fn done<'a>(&'a self, claimed: &'a Claimed) -> CatalogFuture<'a, ()> {
        self.waiting().retain(|(_, waiting)| !is_same(waiting, claimed));
        Box::pin(ready(Ok(())))
    }

    fn postpone<'a>(&'a self, claimed: &'a Claimed, pause: Duration, counts: bool) -> CatalogFuture<'a, ()> {
        if let Some((due, waiting)) = self.waiting().iter_mut().find(|(_, waiting)| is_same(waiting, claimed))
        {
            *due = Instant::now() + pause;
            waiting.attempts -= i64::from(!counts);
        }
        Box::pin(ready(Ok(())))
    }

    fn divide<'a>(&'a self, claimed: &'a Claimed, records: Vec<Bytes>) -> CatalogFuture<'a, ()> {
        self.add(records);
        self.done(claimed)
    }

    fn len(&self) -> CatalogFuture<'_, usize> {
        Box::pin(ready(Ok(self.waiting().len())))
    }
}

fn is_same(waiting: &Claimed, claimed: &Claimed) -> bool {
    (waiting.serial, waiting.attempts) == (claimed.serial, claimed.attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_record_is_claimed_once_and_due_again_unless_it_is_done() {
        let records = MemoryRecords::default();
        records.add(vec!["a".into(), "b".into()]);
        assert!(records.is_due().await.unwrap());
        let time = Duration::from_secs(30);
        let first = records.claim(1, time).await.unwrap().remove(0);
        let second = records.claim(9, time).await.unwrap().remove(0);
        assert_eq!((&first.record[..], &second.record[..]), (&b"a"[..], &b"b"[..]));
        assert!(!records.is_due().await.unwrap());

        records.done(&second).await.unwrap();
        records.postpone(&first, Duration::from_secs(5), true).await.unwrap();
        tokio::time::advance(Duration::from_secs(5)).await;
        let again = records.claim(9, time).await.unwrap().remove(0);
        assert_eq!(again.attempts, 2);
        records.done(&first).await.unwrap();
        assert_eq!(records.len().await.unwrap(), 1, "an earlier claim is void");
        records.postpone(&again, Duration::ZERO, false).await.unwrap();
        assert_eq!(records.claim(9, time).await.unwrap()[0].attempts, 2);
    }
}
