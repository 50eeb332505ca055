//! One campaign from its start to its report.

use std::{path::PathBuf, sync::Arc, time::Instant};

use tokio::task::JoinSet;

use crate::{
    check,
    faults::{self, Budget},
    fleet::Fleet,
    hosts::Hosts,
    line::Line,
    person::Person,
    settings::Settings,
    small_disk::SmallDisk,
    support::{Builder, Client, Server, postgres::Cluster},
    world::World,
};

/// Short enough for a campaign to wait for.
pub(crate) const LEASE: &str = "3s";

pub(crate) async fn on_sqlite(settings: Settings) {
    // Only root can mount a disk that can be filled.
    let disk = SmallDisk::mount(512);
    let builder = builder();
    let folder = disk.as_ref().map_or_else(|| builder.dir("home"), |disk| disk.path().to_owned());
    let file = folder.join("sessions.db");
    let builder = builder.option("--store", format!("sqlite:{}", file.display()));
    let campaign = Campaign::start(settings, "SQLite", &builder, 1, Hosts::new).await;
    let (world, budget) = (Arc::clone(&campaign.world), Budget::new(settings.faults));
    tokio::join!(
        faults::of_servers(&world, &campaign.fleet, &budget),
        faults::of_sqlite(&world, &file, disk.as_ref(), &budget),
    );
    campaign.finish().await;
}

pub(crate) async fn on_postgres(settings: Settings) {
    let mut cluster = tokio::task::block_in_place(Cluster::start);
    let database = cluster.database().await;
    let line = Line::to(&cluster.authority()).await;
    let url = database.url().replace(&cluster.authority(), &line.authority());
    let builder = builder().option("--store", url).env("AGENT_WEBKIT_LEASE", LEASE);
    let campaign = Campaign::start(settings, "Postgres", &builder, 3, Hosts::new).await;
    let (world, budget) = (Arc::clone(&campaign.world), Budget::new(settings.faults));
    tokio::join!(
        faults::of_servers(&world, &campaign.fleet, &budget),
        faults::of_postgres(&world, &mut cluster, &line, &budget),
    );
    campaign.finish().await;
}

pub(crate) fn builder() -> Builder {
    Server::builder()
        .option("--hibernate-after", "2s")
        .option("--idle-timeout", "10s")
        .option("--max-sessions", "1000")
}

pub(crate) struct Campaign {
    title: String,
    begun: Instant,
    pub(crate) world: Arc<World>,
    pub(crate) fleet: Fleet,
    people: JoinSet<()>,
    /// All files of the servers.
    folder: PathBuf,
    _builder: Builder,
}

impl Campaign {
    /// Starts the servers, and the people who talk to their sessions.
    pub(crate) async fn start(
        settings: Settings,
        database: &str,
        builder: &Builder,
        servers: usize,
        hosts: fn(Vec<Client>) -> Hosts,
    ) -> Self {
        let Settings { faults, people, seed, .. } = settings;
        let title =
            format!("{servers} server(s) on {database}, {people} people, {faults} faults, seed {seed}");
        eprintln!("{title}");
        let fleet = Fleet::start(builder, servers).await;
        let world = Arc::new(World::new(hosts(fleet.clients().await), builder.dir("workspace"), settings));
        let folder = world.workspace.parent().expect("it is in a folder").to_owned();
        let mut lives = JoinSet::new();
        for number in 1..=people {
            let world = Arc::clone(&world);
            lives.spawn(async move { Person::new(world, number).await.live().await });
        }
        Self { title, begun: Instant::now(), world, fleet, people: lives, folder, _builder: builder.clone() }
    }

    /// Lets the people finish, checks everything, and reports.
    ///
    /// # Panics
    /// If something was lost, doubled, changed, or left behind.
    pub(crate) async fn finish(mut self) {
        self.world.end();
        while let Some(ended) = self.people.join_next().await {
            ended.expect("a person's life");
        }
        check::tools_and_deletions(&self.world).await;
        self.fleet.end().await;
        check::nothing_is_left(&self.world, &self.folder).await;

        let ledger = &self.world.ledger;
        let report = format!("{}, {:.0?}:\n{ledger}", self.title, self.begun.elapsed());
        println!("{report}");
        if ledger.violations() > 0 {
            let log = self.world.file("servers.log");
            std::fs::copy(self.folder.join("log"), &log).expect("the servers' log");
            panic!("the campaign found faults; the servers' log is {}", log.display());
        }
    }
}
