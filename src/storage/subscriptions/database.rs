//! Devices in a database.

use std::fmt;

use super::{Device, Devices, PrivateKey};
use crate::{
    storage::{
        catalog::{CatalogError, CatalogFuture, query},
        database::Database,
    },
    unix_ms,
};

const PUT: &str =
    "insert into agent_webkit_devices (id, owner, subscription, renewed_at_ms, expires_at_ms) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set owner = excluded.owner, subscription = excluded.subscription,
         renewed_at_ms = excluded.renewed_at_ms, expires_at_ms = excluded.expires_at_ms";
const SWEEP: &str = "delete from agent_webkit_devices where expires_at_ms <= $1";
const LIMIT: &str = "delete from agent_webkit_devices where owner = $1 and id not in (
         select id from agent_webkit_devices where owner = $1 order by renewed_at_ms desc, id limit $2)";
const OF: &str = "select id, owner, subscription, renewed_at_ms, expires_at_ms from agent_webkit_devices
     where owner = $1 and expires_at_ms > $2";
const GET: &str = "select id, owner, subscription, renewed_at_ms, expires_at_ms from agent_webkit_devices
     where id = $1 and expires_at_ms > $2";
const REMOVE: &str = "delete from agent_webkit_devices where id = $1 and owner = $2";
const EXPIRE: &str = "delete from agent_webkit_devices where id = $1 and owner = $2 and renewed_at_ms = $3";

/// There is one key.
const KEY: &str = "select private_key from agent_webkit_push_keys where name = 'vapid'";
const NEW_KEY: &str = "insert into agent_webkit_push_keys (name, private_key) values ('vapid', $1)
     on conflict (name) do nothing";

/// A row: id, owner, subscription, when it was renewed, when it expires.
type Row = (String, String, String, i64, i64);

/// The devices of all hosts that share a [`Database`].
pub(in crate::storage) struct DbDevices {
    database: Database,
}

impl DbDevices {
    pub(in crate::storage) fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Devices for DbDevices {
    fn put(&self, device: Device, keep: usize) -> CatalogFuture<'_, ()> {
        Box::pin(async move {
            let owner = json(device.owner.as_deref());
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            query!(&self.database, writes, |connection| async {
                sqlx::query(SWEEP).bind(unix_ms::now_signed()).execute(&mut *connection).await?;
                let put = sqlx::query(PUT).bind(&device.id).bind(&owner).bind(&device.subscription);
                let put = put.bind(device.renewed_at_ms).bind(device.expires_at_ms);
                put.execute(&mut *connection).await?;
                sqlx::query(LIMIT).bind(&owner).bind(keep).execute(&mut *connection).await.map(drop)
            })
        })
    }

    fn of<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<Device>> {
        Box::pin(async move {
            let owner = json(owner);
            let rows: Vec<Row> = query!(&self.database, reads, |connection| async {
                sqlx::query_as(OF).bind(&owner).bind(unix_ms::now_signed()).fetch_all(&mut *connection).await
            })?;
            Ok(rows.into_iter().filter_map(device).collect())
        })
    }

    fn get<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<Device>> {
        Box::pin(async move {
            let row: Option<Row> = query!(&self.database, reads, |connection| async {
                sqlx::query_as(GET)
                    .bind(id)
                    .bind(unix_ms::now_signed())
                    .fetch_optional(&mut *connection)
                    .await
            })?;
            Ok(row.and_then(device))
        })
    }

    fn remove<'a>(&'a self, id: &'a str, owner: Option<&'a str>) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            let owner = json(owner);
            query!(&self.database, writes, |connection| async {
                sqlx::query(REMOVE).bind(id).bind(&owner).execute(&mut *connection).await.map(drop)
            })
        })
    }

    fn expire<'a>(&'a self, expired: &'a Device) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            let owner = json(expired.owner.as_deref());
            query!(&self.database, writes, |connection| async {
                let expire = sqlx::query(EXPIRE).bind(&expired.id).bind(&owner).bind(expired.renewed_at_ms);
                expire.execute(&mut *connection).await.map(drop)
            })
        })
    }

    fn key(&self, new: PrivateKey) -> CatalogFuture<'_, PrivateKey> {
        Box::pin(async move {
            let stored: Vec<u8> = query!(&self.database, writes, |connection| async {
                sqlx::query(NEW_KEY).bind(&new[..]).execute(&mut *connection).await?;
                sqlx::query_scalar(KEY).fetch_one(&mut *connection).await
            })?;
            let wrong = |_| CatalogError::Unavailable("the stored key of the server is not one".into());
            stored.try_into().map_err(wrong)
        })
    }
}

/// `None` for a row that this version cannot read.
fn device((id, owner, subscription, renewed_at_ms, expires_at_ms): Row) -> Option<Device> {
    let owner = serde_json::from_str(&owner).ok()?;
    Some(Device { id, owner, subscription, renewed_at_ms, expires_at_ms })
}

fn json(owner: Option<&str>) -> String {
    serde_json::to_string(&owner).expect("a string or null")
}

impl fmt::Debug for DbDevices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbDevices").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_contract_and_all_hosts_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let open = async || Database::sqlite(folder.path().join("sessions.db")).await.unwrap();
        let (one, other) = (DbDevices::new(open().await), DbDevices::new(open().await));
        super::super::contract::holds(&one).await;
        assert_eq!(other.key([9; 32]).await.unwrap(), one.key([8; 32]).await.unwrap());
    }
}
