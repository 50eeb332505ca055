//! Tests of one session whose readers are spread over the hosts of one Postgres.

use std::{env, time::Instant};

use super::{
    bursts::Bursts,
    cpu,
    target::{Failure, Target},
    tests::{BYTES, Figure, percentile},
};

/// CPU seconds.
#[derive(Clone, Copy)]
struct Cpu {
    owner: f64,
    others: f64,
    postgres: f64,
}

/// Measures bursts to this number of readers in all, as many on each host.
pub fn burst(
    target: &mut Target,
    extra: u64,
    readers: usize,
    events: u64,
    bursts: u64,
) -> Result<Vec<Figure>, Failure> {
    let hosts = 1 + target.others.len();
    let mut bench = Bursts::start(target, extra, readers / hosts)?;
    let script = format!("burst {events} {BYTES}");
    bench.turn(target, &script, events)?;
    let (delivered, before, start) = (bench.fleet.delivered(), Cpu::of(target)?, Instant::now());
    for _ in 0..bursts {
        bench.turn(target, &script, events)?;
    }
    let delivered = (bench.fleet.delivered() - delivered) as f64;
    let used = Cpu::of(target)?.since(before);
    let mut figures = vec![
        ("events per second", delivered / start.elapsed().as_secs_f64()),
        ("events per CPU-second of the hosts", delivered / (used.owner + used.others)),
        ("events per CPU-second, Postgres included", delivered / (used.owner + used.others + used.postgres)),
    ];
    figures.extend(used.per_event((events * bursts) as f64, target.others.len()));
    Ok(figures)
}

/// Measures single events, with pauses, to one reader on each host.
pub fn trickle(target: &mut Target, extra: u64, events: u64, pause: u64) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, 1)?;
    bench.turn(target, &format!("trickle 20 {pause}"), 20)?;
    bench.fleet.latencies.clear();
    let before = Cpu::of(target)?;
    bench.turn(target, &format!("trickle {events} {pause}"), events)?;
    let used = Cpu::of(target)?.since(before);
    let mut latencies = std::mem::take(&mut bench.fleet.latencies);
    latencies.sort_unstable();
    let mut figures = used.per_event(events as f64, target.others.len());
    figures.extend([
        ("p50 of all readers, µs", percentile(&latencies, 0.5)),
        ("p99 of all readers, µs", percentile(&latencies, 0.99)),
    ]);
    Ok(figures)
}

impl Cpu {
    fn of(target: &Target) -> Result<Self, Failure> {
        let url = env::var("DATABASE_URL")?;
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let others = target.others.iter().map(Target::cpu).sum::<Result<f64, Failure>>()?;
        Ok(Self { owner: target.cpu()?, others, postgres: cpu::postgres(port.parse()?)? })
    }

    fn since(self, before: Self) -> Self {
        Self {
            owner: self.owner - before.owner,
            others: self.others - before.others,
            postgres: self.postgres - before.postgres,
        }
    }

    fn per_event(self, events: f64, others: usize) -> Vec<Figure> {
        let micros = |seconds: f64| seconds * 1e6 / events;
        let mut figures = vec![
            ("CPU of the owner per event, µs", micros(self.owner)),
            ("CPU of Postgres per event, µs", micros(self.postgres)),
        ];
        if others > 0 {
            figures.push(("CPU of each other host per event, µs", micros(self.others) / others as f64));
        }
        figures
    }
}
