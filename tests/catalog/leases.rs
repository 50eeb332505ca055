//! Leases: which of several hosts may run a session.

use std::time::{Duration, Instant};

use agent_webkit::storage::catalog::{Acquired, Catalog, CatalogError, Lease};

use super::{LONG, Place, metadata, record};

const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_session_is_its_holders_until_the_lease_runs_out() {
    let place = Place::postgres().await;
    let (owner, other) = (place.host(SHORT).await, place.host(SHORT).await);
    let session = record(None);
    let lease = owner.create(&session).await.unwrap();
    let began = Instant::now();
    let taken = loop {
        match other.acquire(&session.id).await.unwrap() {
            Acquired::Held(time) => assert!(time <= SHORT),
            Acquired::Leased(_, lease) => break lease,
            Acquired::Unknown => panic!("it is there"),
        }
    };
    assert!(began.elapsed() >= SHORT - Duration::from_millis(50), "nobody is robbed of a lease");
    assert!(taken.epoch > lease.epoch);
    assert!(matches!(owner.save(&lease, &metadata("running")).await, Err(CatalogError::Fenced)));
    assert_eq!(owner.epoch(&session.id), None);
    assert_eq!(owner.renew(std::slice::from_ref(&lease)).await.unwrap(), [session.id.as_str()]);
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_run_out() {
    let place = Place::postgres().await;
    let (owner, other) = (place.host(SHORT).await, place.host(SHORT).await);
    let session = record(None);
    let lease = owner.create(&session).await.unwrap();
    let began = Instant::now();
    while began.elapsed() < SHORT * 3 {
        assert!(owner.renew(std::slice::from_ref(&lease)).await.unwrap().is_empty());
        assert!(matches!(other.acquire(&session.id).await.unwrap(), Acquired::Held(_)));
    }
}

#[tokio::test]
async fn a_lease_given_back_is_free_at_once() {
    let place = Place::postgres().await;
    let (owner, other) = (place.host(LONG).await, place.host(LONG).await);
    let session = record(None);
    let lease = owner.create(&session).await.unwrap();
    assert!(matches!(other.acquire(&session.id).await.unwrap(), Acquired::Held(_)));
    owner.release(&lease).await.unwrap();
    assert!(matches!(other.acquire(&session.id).await.unwrap(), Acquired::Leased(..)));
}

#[tokio::test]
async fn a_record_tells_whether_another_host_runs_it() {
    let place = Place::postgres().await;
    let (owner, other) = (place.host(SHORT).await, place.host(SHORT).await);
    let session = record(None);
    let lease = owner.create(&session).await.unwrap();
    let elsewhere = async |host: &dyn Catalog| host.find(&session.id).await.unwrap().unwrap().elsewhere;
    assert!(!elsewhere(&owner).await, "it is its own");
    assert!(elsewhere(&other).await && other.list(None).await.unwrap()[0].elsewhere);
    tokio::time::sleep(SHORT).await;
    assert!(!elsewhere(&other).await, "the lease has run out");
    owner.renew(std::slice::from_ref(&lease)).await.unwrap();
    assert!(elsewhere(&other).await);
    owner.release(&lease).await.unwrap();
    assert!(!elsewhere(&other).await);
}

#[tokio::test]
async fn of_many_hosts_that_ask_at_once_one_wins() {
    let place = Place::postgres().await;
    let first = place.host(LONG).await;
    let session = record(None);
    let lease = first.create(&session).await.unwrap();
    first.release(&lease).await.unwrap();
    let mut hosts = Vec::new();
    for _ in 0..8 {
        hosts.push(place.host(LONG).await);
    }
    let asks: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let id = session.id.clone();
            tokio::spawn(async move { host.acquire(&id).await.unwrap() })
        })
        .collect();
    let mut won: Vec<Lease> = Vec::new();
    for ask in asks {
        match ask.await.unwrap() {
            Acquired::Leased(_, lease) => won.push(lease),
            Acquired::Held(time) => assert!(time > SHORT),
            Acquired::Unknown => panic!("it is there"),
        }
    }
    assert_eq!(won.len(), 1);
}

#[tokio::test]
async fn what_another_host_deletes_is_lost() {
    let place = Place::postgres().await;
    let (owner, other) = (place.host(LONG).await, place.host(LONG).await);
    let (session, kept) = (record(None), record(None));
    let lease = owner.create(&session).await.unwrap();
    let kept = owner.create(&kept).await.unwrap();
    other.tombstone(&session.id).await.unwrap();
    assert_eq!(owner.renew(&[lease, kept.clone()]).await.unwrap(), [session.id.as_str()]);
    assert_eq!(owner.epoch(&kept.session_id), Some(kept.epoch));
}
