//! One reader among many that stops reading.

use super::{
    bursts::{Bursts, Work},
    target::{Failure, Target},
    tests::Figure,
};

const READERS: usize = 100;

/// Number of events in a burst of 300 KB.
const EVENTS: u64 = 1000;

/// Number of bursts that fit into the socket buffers of a stalled reader.
const SOCKETS: u64 = 10;

/// Number of further bursts that the server keeps for it.
const KEPT: u64 = 24;

/// Number of further bursts that exceed its lag budget.
const TOO_MANY: u64 = 30;

/// Stalls one reader after the other and replaces it. Compares the throughput of the others while bursts are
/// kept for the stalled reader with their throughput while all read.
pub fn one_of_many(target: &mut Target, extra: u64, stalls: usize) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, READERS)?;
    bench.run(target, EVENTS, 2 * KEPT)?;
    let memory = target.memory()?;
    let (mut all_read, mut one_stalls, mut most) = (Work::default(), Work::default(), memory);
    for stalled in 0..stalls {
        all_read += bench.run(target, EVENTS, KEPT)?;
        bench.fleet.stall(stalled)?;
        bench.run(target, EVENTS, SOCKETS)?;
        one_stalls += bench.run(target, EVENTS, KEPT)?;
        for _ in 0..TOO_MANY {
            most = most.max(target.memory()?);
            bench.run(target, EVENTS, 1)?;
        }
        bench.fleet.dismiss(stalled)?;
        bench.fleet.join(target.port, &bench.session, bench.last, 1)?;
        bench.run(target, EVENTS, 1)?;
    }
    Ok(vec![
        ("CPU of the others, stalled / before", all_read.per_cpu_second() / one_stalls.per_cpu_second()),
        ("events per second, stalled / before", one_stalls.per_second() / all_read.per_second()),
        ("memory it costs at most, KiB", (most - memory) / 1024.0),
    ])
}
