//! Three servers on one Postgres; every request goes to the next one.

use std::sync::Arc;

use crate::{
    campaign::{Campaign, LEASE, builder},
    faults::{self, Budget},
    hosts::Hosts,
    settings::{Messenger, Settings},
    support::{deaf::Deaf, nats::Nats, postgres::Cluster},
};

pub(crate) async fn on_postgres(settings: Settings) {
    let cluster = tokio::task::block_in_place(Cluster::start);
    let database = cluster.database().await;
    let deaf = Deaf::to(database.url()).await;
    let mut nats = match settings.messenger {
        Messenger::Nats | Messenger::NatsThatStops => Some(Nats::start().expect("NATS is installed")),
        _ => None,
    };
    let store = if settings.messenger == Messenger::Nothing { deaf.url() } else { database.url() };
    let mut builder = builder().option("--store", store).env("AGENT_WEBKIT_LEASE", LEASE);
    if let Some(nats) = &nats {
        builder = builder.option("--bus", nats.url());
    }
    let title = format!("Postgres behind a round robin, {:?}", settings.messenger);
    let campaign = Campaign::start(settings, &title, &builder, 3, Hosts::round_robin).await;
    let (world, budget) = (Arc::clone(&campaign.world), Budget::new(settings.faults));
    let owners = async {
        faults::of_owners(&world, &campaign.fleet, &budget).await;
        world.end();
    };
    match &mut nats {
        Some(nats) if settings.messenger == Messenger::NatsThatStops => {
            tokio::join!(owners, faults::of_nats(&world, nats));
        }
        _ => owners.await,
    }
    campaign.finish().await;
}
