//! Sessions with full windows.

use super::{
    fleet::Fleet,
    target::{Failure, Target},
    tests::{BYTES, Figure, TURN, settled},
};

/// The product's window, in events.
const WINDOW: u64 = 1000;

/// How a window is filled.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    /// In one turn, as a burst.
    Burst,
    /// In turns of one delta. Each event is sent after the one before it was read.
    OneByOne,
}

impl Fill {
    /// Number of turns, and of deltas in each, that fill a window.
    const fn turns(self) -> (u64, u64) {
        match self {
            Self::Burst => (1, WINDOW),
            Self::OneByOne => (WINDOW.div_ceil(1 + TURN), 1),
        }
    }
}

/// Fills the windows of this many sessions and measures their memory beyond the frames.
pub fn full(target: &mut Target, sessions: usize, fill: Fill) -> Result<Vec<Figure>, Failure> {
    let first = target.control.create()?;
    let last = fill_window(target, &first, fill)?;
    let frames = frames(target, &first, last)? as f64;
    let sessions = (0..sessions).map(|_| target.control.create()).collect::<Result<Vec<_>, _>>()?;
    let empty = settled(target)?;
    for session in &sessions {
        fill_window(target, session, fill)?;
    }
    let memory = (settled(target)? - empty) / sessions.len() as f64;
    Ok(vec![
        ("KiB per window", memory / 1024.0),
        ("memory / bytes of the frames", memory / frames),
        ("bytes beside each frame", (memory - frames) / WINDOW as f64),
    ])
}

/// Fills the session's window while one reader reads, and returns the newest event's id.
fn fill_window(target: &mut Target, session: &str, fill: Fill) -> Result<u64, Failure> {
    let mut fleet = Fleet::new()?;
    fleet.join(target.port, session, 0, 1)?;
    fleet.until(1)?;
    let (turns, deltas) = fill.turns();
    let mut last = 1;
    for _ in 0..turns {
        target.control.input(session, &format!("burst {deltas} {BYTES}"))?;
        last += deltas + TURN;
        fleet.until(last)?;
    }
    Ok(last)
}

/// Returns the number of bytes of all frames in the window.
fn frames(target: &Target, session: &str, last: u64) -> Result<u64, Failure> {
    let mut fleet = Fleet::new()?;
    fleet.join(target.port, session, last - WINDOW, 1)?;
    fleet.until(last)?;
    Ok(fleet.bytes())
}
