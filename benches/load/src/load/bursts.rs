//! Bursts to many readers, and their cost.

use std::{ops::AddAssign, time::Instant};

use super::{
    fleet::Fleet,
    target::{Failure, Target},
    tests::BYTES,
};

/// A session with its readers, which receive bursts.
pub struct Bursts {
    pub fleet: Fleet,
    pub session: String,
    pub last: u64,
    extra: u64,
}

impl Bursts {
    /// Creates a session with this number of readers on each host.
    pub fn start(target: &mut Target, extra: u64, readers: usize) -> Result<Self, Failure> {
        let session = target.control.create()?;
        let mut fleet = Fleet::new()?;
        fleet.join(target.port, &session, 0, readers)?;
        for host in &target.others {
            fleet.join(host.port, &session, 0, readers)?;
        }
        fleet.until(1)?;
        Ok(Self { fleet, session, last: 1, extra })
    }

    /// Runs bursts one after the other. Every reader has received all of a burst before the next begins.
    pub fn run(&mut self, target: &mut Target, events: u64, bursts: u64) -> Result<Work, Failure> {
        let (delivered, cpu, start) = (self.fleet.delivered(), target.cpu()?, Instant::now());
        for _ in 0..bursts {
            self.turn(target, &format!("burst {events} {BYTES}"), events)?;
        }
        Ok(Work {
            delivered: (self.fleet.delivered() - delivered) as f64,
            cpu: target.cpu()? - cpu,
            wall: start.elapsed().as_secs_f64(),
        })
    }

    /// Runs a turn with this number of events, until every reader has received all of it.
    pub fn turn(&mut self, target: &mut Target, script: &str, events: u64) -> Result<(), Failure> {
        target.control.input(&self.session, script)?;
        self.last += events + self.extra;
        self.fleet.until(self.last)
    }
}

/// The number of deliveries, the server's CPU seconds and the wall-clock seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    delivered: f64,
    cpu: f64,
    wall: f64,
}

impl Work {
    pub fn per_cpu_second(self) -> f64 {
        self.delivered / self.cpu
    }

    pub fn per_second(self) -> f64 {
        self.delivered / self.wall
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, more: Self) {
        self.delivered += more.delivered;
        self.cpu += more.cpu;
        self.wall += more.wall;
    }
}
