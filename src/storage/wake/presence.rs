//! A host's own connection to a Postgres server: it holds the host's lock, and hears the hints of the others.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::timeout;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use uuid::Uuid;

use super::{Wake, postgres::CHANNEL};
use crate::{backoff::Backoff, error_text::with_sources, metrics::Counted, storage::database::Postgres};

/// Maximum time for a call.
const CALL: Duration = Duration::from_secs(5);
/// Silence after which the connection is tried: one that hangs would keep hints from coming.
const SILENCE: Duration = Duration::from_secs(10);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// Short, because without a lock others may take this host for dead once the server works again.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Rows of hosts that are dead and hold no session.
const SWEEP: &str = "
    delete from agent_webkit_hosts h
    where not exists (select 1 from agent_webkit_sessions s where s.lease_holder = h.host)
    and not exists (
        select 1 from pg_locks l
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.classid = ((h.lock_id >> 32) & 4294967295)::oid and l.objid = (h.lock_id & 4294967295)::oid
        and l.database = (select oid from pg_database where datname = current_database())
    )";
const ANNOUNCE: &str = "
    insert into agent_webkit_hosts (host, lock_id, server_started_at)
    values ($1, $2, pg_postmaster_start_time())
    on conflict (host) do update set lock_id = excluded.lock_id, server_started_at = excluded.server_started_at";
const WITHDRAW: &str = "delete from agent_webkit_hosts where host = $1";

/// Holds a lock on the server for as long as this host lives, which the server releases however the host ends. Ends
/// when dropped.
#[derive(Debug)]
pub(in crate::storage) struct Presence {
    tasks: TaskTracker,
    stop: CancellationToken,
    _stops_when_dropped: DropGuard,
}

impl Presence {
    /// Hears notifications for `wake`, if there is one. Must be called inside a tokio runtime.
    pub(in crate::storage) fn start(server: Postgres, host: &str, wake: Option<Wake>) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (host, stops) = (host.to_owned(), stop.clone());
        tasks.spawn(async move {
            stops.run_until_cancelled(hold(&server, &host, wake.as_ref())).await;
            withdraw(&server, &host).await;
        });
        Self { tasks, _stops_when_dropped: stop.clone().drop_guard(), stop }
    }

    /// Releases the lock. Call it once the host holds no lease any more.
    pub(in crate::storage) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Holds the lock and listens, over as many connections as it takes.
async fn hold(server: &Postgres, host: &str, wake: Option<&Wake>) {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
    let mut is_reported = false;
    loop {
        // A pool of its own, which a listener needs, so that the others are not one connection short.
        let options = server.connect_options();
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(CALL).connect_lazy_with(options);
        match announced(&pool, host, wake.is_some()).await {
            Ok(listener) => {
                backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
                is_reported = false;
                let heard = wake.map(|_| Counted::heard());
                hear(listener, wake).await;
                drop(heard);
                tracing::debug!("the host's own connection to the database is lost");
                // Until there is another, a free lock does not mean that this host is dead.
                withdraw(server, host).await;
            }
            Err(error) if is_reported => {
                tracing::debug!(error = with_sources(&error), "failed to open the host's own connection");
            }
            Err(error) => {
                is_reported = true;
                let error = with_sources(&error);
                tracing::warn!(error, "without a connection of its own this host hears of others by polls");
            }
        }
        let _ = timeout(CALL, pool.close()).await;
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

/// A connection that holds a lock by which the others know that this host is alive.
async fn announced(pool: &PgPool, host: &str, listens: bool) -> sqlx::Result<PgListener> {
    let announced = async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.ignore_pool_close_event(true);
        // A connection that breaks loses the lock, so it must not be replaced unseen.
        listener.eager_reconnect(false);
        if listens {
            listener.listen(CHANNEL).await?;
        }
        // A new one each time: the server may not have noticed yet that the earlier connection is gone.
        let lock_id = Uuid::new_v4().as_u64_pair().0.cast_signed();
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(lock_id)
            .fetch_one(&mut listener)
            .await?;
        if !locked {
            return Err(sqlx::Error::RowNotFound);
        }
        sqlx::query(ANNOUNCE).bind(host).bind(lock_id).execute(&mut listener).await?;
        sqlx::query(SWEEP).execute(&mut listener).await?;
        Ok(listener)
    };
    timeout(CALL, announced).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Passes on what the others say, until the connection breaks.
async fn hear(mut listener: PgListener, wake: Option<&Wake>) {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                if let Some(wake) = wake {
                    wake.receive(notification.payload().as_bytes());
                }
            }
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                let tried = sqlx::query("select 1").execute(&mut listener);
                if !matches!(timeout(CALL, tried).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

async fn withdraw(server: &Postgres, host: &str) {
    let withdrawn = async {
        let mut link = server.link().await?;
        sqlx::query(WITHDRAW).bind(host).execute(&mut *link).await?;
        link.done().await
    };
    if !matches!(timeout(CALL, withdrawn).await, Ok(Ok(()))) {
        tracing::debug!("failed to withdraw the host's lock");
    }
}
