//! The tests. Each measures a new server and returns figures.

use std::{thread, time::Duration};

use super::{
    bursts::Bursts,
    control::Control,
    fleet::Fleet,
    target::{Failure, Target},
};

/// The name and the value of a figure.
pub type Figure = (&'static str, f64);

/// Number of events in a turn of the product besides its deltas: the user's message, the end of the agent's, which stays
/// incomplete, and the result.
pub const TURN: u64 = 3;

/// Length of a delta's text, for frames of 300 bytes.
pub const BYTES: usize = 200;

/// Measures bursts of `events` to `readers`. Every reader has received all of a burst before the next begins.
pub fn burst(
    target: &mut Target,
    extra: u64,
    readers: usize,
    events: u64,
    bursts: u64,
) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, readers)?;
    bench.run(target, events, 2)?;
    let work = bench.run(target, events, bursts)?;
    Ok(vec![("events per CPU-second", work.per_cpu_second()), ("events per second", work.per_second())])
}

/// Measures single events, with pauses, to many readers.
pub fn trickle(
    target: &mut Target,
    extra: u64,
    readers: usize,
    events: u64,
    pause: u64,
) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, readers)?;
    bench.run(target, 10, 2)?;
    bench.fleet.latencies.clear();
    let (delivered, cpu) = (bench.fleet.delivered(), target.cpu()?);
    bench.turn(target, &format!("trickle {events} {pause}"), events)?;
    let cpu = target.cpu()? - cpu;
    let delivered = bench.fleet.delivered() - delivered;
    let mut latencies = std::mem::take(&mut bench.fleet.latencies);
    latencies.sort_unstable();
    Ok(vec![
        ("CPU per delivery, ns", cpu * 1e9 / delivered as f64),
        ("p50, µs", percentile(&latencies, 0.5)),
        ("p99, µs", percentile(&latencies, 0.99)),
    ])
}

/// The latency, in microseconds, below which this share of the sorted ones lies.
pub fn percentile(latencies: &[u64], share: f64) -> f64 {
    latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0
}

/// Measures readers that resume 900 events before the newest one, this number of them at the same time.
pub fn replay(
    target: &mut Target,
    extra: u64,
    replays: usize,
    at_once: usize,
) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, 1)?;
    bench.run(target, 990, 1)?;
    let last = bench.last;
    let run = |count: usize| -> Result<f64, Failure> {
        let cpu = target.cpu()?;
        for _ in 0..count / at_once {
            let mut fleet = Fleet::new()?;
            fleet.join(target.port, &bench.session, last - 900, at_once)?;
            fleet.until(last)?;
        }
        Ok(count as f64 / (target.cpu()? - cpu))
    };
    run(at_once.max(100))?;
    Ok(vec![("replays per CPU-second", run(replays)?)])
}

/// Measures creating and deleting sessions, eight at a time.
pub fn create_delete(target: &mut Target, pairs: usize) -> Result<Vec<Figure>, Failure> {
    let mut controls = (0..8).map(|_| Control::connect(target.port)).collect::<Result<Vec<_>, _>>()?;
    let mut run = |pairs: usize| -> Result<f64, Failure> {
        let cpu = target.cpu()?;
        for _ in 0..pairs / 8 {
            controls.iter_mut().try_for_each(Control::ask_create)?;
            let ids = controls.iter_mut().map(Control::created).collect::<Result<Vec<_>, _>>()?;
            for (control, id) in controls.iter_mut().zip(&ids) {
                control.ask_delete(id)?;
            }
            controls.iter_mut().try_for_each(Control::deleted)?;
        }
        Ok(pairs as f64 / (target.cpu()? - cpu))
    };
    run(400)?;
    Ok(vec![("pairs per CPU-second", run(pairs)?)])
}

/// Measures the memory of idle sessions and readers.
pub fn idle(target: &mut Target, sessions: usize, readers: usize) -> Result<Vec<Figure>, Failure> {
    let session = target.control.create()?;
    let mut warm = Fleet::new()?;
    warm.join(target.port, &session, 0, 50)?;
    warm.until(1)?;
    let memory = settled(target)?;
    for session in 0..sessions {
        target.control.create()?;
        // Waits until some agents have been stopped, so that the next ones reuse their memory.
        if session % 200 == 199 {
            thread::sleep(Duration::from_millis(200));
        }
    }
    let with_sessions = settled(target)?;
    let mut fleet = Fleet::new()?;
    fleet.join(target.port, &session, 0, readers)?;
    fleet.until(1)?;
    let with_readers = settled(target)?;
    Ok(vec![
        ("KiB per session", (with_sessions - memory) / 1024.0 / sessions as f64),
        ("KiB per reader", (with_readers - with_sessions) / 1024.0 / readers as f64),
    ])
}

/// Returns the memory, once it does not change any more.
pub fn settled(target: &Target) -> Result<f64, Failure> {
    let mut memory = target.memory()?;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(150));
        let now = target.memory()?;
        if now == memory {
            break;
        }
        memory = now;
    }
    Ok(memory)
}
