//! What is measured, and the table.

use std::{env, error::Error, time::Duration};

use crate::{
    client::{Got, Http},
    process::{Kind, Server},
};

type AnyError = Box<dyn Error + Send + Sync>;

/// The size of each measurement.
#[derive(Clone, Copy)]
struct Size {
    streams: usize,
    events: usize,
    idle: usize,
    rounds: usize,
}

const PACE: usize = 20;
const BYTES: usize = 300;

fn size(name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    Ok(env::var(name).map_or(Ok(default), |number| number.parse())?)
}

pub(crate) async fn all() -> Result<(), Box<dyn Error>> {
    let size = Size {
        streams: size("STREAMS", 50)?,
        events: size("EVENTS", 250)?,
        idle: size("IDLE", 4000)?,
        rounds: size("ROUNDS", 3)?,
    };
    println!(
        "{} streams of {} events of {BYTES} bytes, {PACE} ms apart; {} idle streams; {} rounds. Each cell has all rounds.\n",
        size.streams, size.events, size.idle, size.rounds
    );
    println!(
        "| | CPU per delivered event, 1 reader each (µs) | 5 readers each (µs) | memory per idle stream (KiB) | after `kill -9`, of 100 events that a reader had seen |"
    );
    println!("|---|---|---|---|---|");
    for kind in Kind::ALL {
        let mut cells: [Vec<String>; 4] = Default::default();
        for _ in 0..size.rounds {
            cells[0].push(cpu(kind, size, 1).await?);
            cells[1].push(cpu(kind, size, 5).await?);
            cells[2].push(memory(kind, size).await?);
            cells[3].push(left_after_kill(kind).await?);
        }
        println!("| {} | {} |", kind.name(), cells.map(|rounds| rounds.join(", ")).join(" | "));
    }
    Ok(())
}

/// Shows the server's part, and that of Redis if there is one.
fn both([server, redis]: [f64; 2]) -> String {
    if redis == 0.0 {
        format!("{server:.1}")
    } else {
        format!("{:.1} ({server:.1} + {redis:.1})", server + redis)
    }
}

async fn cpu(kind: Kind, size: Size, readers: usize) -> Result<String, Box<dyn Error>> {
    let server = Server::start(kind)?;
    // Code is compiled and tables are made before it counts.
    run(&server, "warm", Size { events: 50, ..size }, readers).await?;
    let before = server.cost()?;
    let delivered = run(&server, "run", size, readers).await?;
    let after = server.cost()?;
    let spent = [0, 1].map(|at| (after[at].cpu - before[at].cpu).as_secs_f64() * 1e6 / delivered as f64);
    Ok(both(spent))
}

/// Starts all streams, each with its readers. Returns the number of events that came.
async fn run(server: &Server, name: &str, size: Size, readers: usize) -> Result<usize, Box<dyn Error>> {
    let http = Http::new();
    let mut tasks = Vec::new();
    for stream in 0..size.streams {
        let path = format!("{}/{name}-{stream}", server.url);
        let start = format!("{path}?events={}&pace={PACE}&bytes={BYTES}", size.events);
        let first = http.clone();
        let started = tokio::spawn(async move { first.read(&start, 0, usize::MAX).await });
        tasks.push(started);
        for _ in 1..readers {
            let (http, path) = (http.clone(), path.clone());
            tasks.push(tokio::spawn(async move { follow(&http, &path).await }));
        }
    }
    let mut delivered = 0;
    for task in tasks {
        let got = task.await?.map_err(|error| error.to_string())?;
        if got.events != size.events {
            return Err(format!("a reader got {} of {} events", got.events, size.events).into());
        }
        delivered += got.events;
    }
    Ok(delivered)
}

/// Reads a stream that is just being started.
async fn follow(http: &Http, path: &str) -> Result<Got, AnyError> {
    loop {
        let got = http.read(path, 0, usize::MAX).await?;
        if got.events > 0 {
            return Ok(got);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn memory(kind: Kind, size: Size) -> Result<String, Box<dyn Error>> {
    let server = Server::start(kind)?;
    // What does not grow with the streams is there before it counts.
    idle(&server, "warm", size.idle / 2).await?;
    let before = server.cost()?;
    idle(&server, "idle", size.idle).await?;
    let after = server.cost()?;
    Ok(both(
        [0, 1].map(|at| (after[at].resident as f64 - before[at].resident as f64) / 1024.0 / size.idle as f64),
    ))
}

/// Starts streams of 20 events that stay open, and whose readers leave.
async fn idle(server: &Server, name: &str, streams: usize) -> Result<(), Box<dyn Error>> {
    let http = Http::new();
    for some in (0..streams).collect::<Vec<_>>().chunks(50) {
        let readers = some.iter().map(|stream| {
            let start = format!("{}/{name}-{stream}?events=20&pace=1&bytes={BYTES}&hold=1", server.url);
            let http = http.clone();
            tokio::spawn(async move { http.read(&start, 0, 20).await })
        });
        for reader in readers.collect::<Vec<_>>() {
            reader.await?.map_err(|error| error.to_string())?;
        }
    }
    let _ = http.read(&format!("{}/gc", server.url), 0, 1).await;
    Ok(())
}

/// Kills the server after a reader has seen 100 events, and lets another one read them again from the one that follows.
async fn left_after_kill(kind: Kind) -> Result<String, Box<dyn Error>> {
    let mut server = Server::start(kind)?;
    let http = Http::new();
    let start = format!("{}/killed?events=200&pace=2&bytes={BYTES}", server.url);
    let seen = http.read(&start, 0, 100).await.map_err(|error| error.to_string())?;
    server.kill_and_restart()?;
    let path = format!("{}/killed", server.url);
    let read = tokio::time::timeout(Duration::from_secs(3), http.read(&path, 0, seen.events)).await;
    let again = read.ok().and_then(Result::ok).unwrap_or_default();
    Ok(again.events.min(100).to_string())
}
