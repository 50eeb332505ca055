//! What readers received and clients were answered.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::support::Frame;

/// What became of a message, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sent {
    /// It was answered 204.
    Accepted,
    /// It was answered 503, and the sender gave it up.
    Refused,
    /// There was no answer, and the sender gave it up.
    Unknown,
}

/// An answer to a prompt, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) choice: Choice,
    /// Whether it was answered 204.
    pub(crate) accepted: bool,
    /// Whether an attempt had no answer, so that it may have been accepted.
    pub(crate) uncertain: bool,
}

/// What a person answers to a permission request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Choice {
    Allow,
    AllowEdited,
    Deny,
}

/// Everything that is known of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The frames that any reader received, with the time of the first.
    pub(crate) frames: BTreeMap<u64, (Duration, Frame)>,
    /// The messages, by their markers.
    pub(crate) messages: BTreeMap<String, Sent>,
    /// The answers to prompts, by `correlation_id`.
    pub(crate) answers: BTreeMap<String, Vec<Answer>>,
    pub(crate) is_deleted: bool,
}

/// The record of a campaign. Times count from its start.
#[derive(Debug)]
pub(crate) struct Ledger {
    start: Instant,
    faults: Mutex<Vec<(Duration, String)>>,
    sessions: Mutex<BTreeMap<String, Session>>,
    counts: Mutex<BTreeMap<String, u64>>,
    /// For how long inputs were answered 503 until one was accepted, by the fault before.
    refused: Mutex<BTreeMap<String, Vec<Duration>>>,
    violations: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            faults: Mutex::default(),
            sessions: Mutex::default(),
            counts: Mutex::default(),
            refused: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    /// Gives access to the record of a session.
    pub(crate) fn session<T>(&self, id: &str, change: impl FnOnce(&mut Session) -> T) -> T {
        change(locked(&self.sessions).entry(id.to_owned()).or_default())
    }

    /// Returns the ids of all sessions.
    pub(crate) fn ids(&self) -> Vec<String> {
        locked(&self.sessions).keys().cloned().collect()
    }

    /// Records a numbered frame. Whoever else received this number must have received the same bytes.
    pub(crate) fn saw(&self, id: &str, frame: &Frame) {
        let number = frame.id.expect("numbered");
        let earlier = self.session(id, |session| {
            let (_, known) =
                session.frames.entry(number).or_insert_with(|| (self.start.elapsed(), frame.clone()));
            (known.raw != frame.raw).then(|| known.raw.clone())
        });
        if let Some(earlier) = earlier {
            let text = |raw: &Bytes| String::from_utf8_lossy(raw).into_owned();
            self.violation(format!("{id}: changed:\n{}{}", text(&earlier), text(&frame.raw)));
        }
        self.count("events received");
    }

    /// Records that a fault begins.
    pub(crate) fn fault(&self, what: &str) {
        self.count(&format!("faults: {what}"));
        locked(&self.faults).push((self.start.elapsed(), format!("FAULT {what}")));
    }

    /// What happened to a session and to the hosts, in order of time.
    pub(crate) fn history(&self, id: &str) -> String {
        let faults = locked(&self.faults).clone();
        let frames = self.session(id, |session| session.frames.clone()).into_values();
        let frames =
            frames.map(|(time, frame)| (time, String::from_utf8_lossy(&frame.raw).replace('\n', " ")));
        let mut lines: Vec<_> = faults.into_iter().chain(frames).collect();
        lines.sort_by_key(|(time, _)| *time);
        lines.iter().map(|(time, line)| format!("{:>9.3} {line}\n", time.as_secs_f64())).collect()
    }

    pub(crate) fn count(&self, what: &str) {
        *locked(&self.counts).entry(what.to_owned()).or_default() += 1;
    }

    /// Records that an input is accepted that was answered 503 since then.
    pub(crate) fn refused_since(&self, since: Instant) {
        let faults = locked(&self.faults);
        let before = faults.iter().rfind(|(at, _)| self.start + *at <= since);
        let fault = before.map_or("no fault", |(_, fault)| fault).to_owned();
        locked(&self.refused).entry(fault).or_default().push(since.elapsed());
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("VIOLATION {what}");
        locked(&self.violations).push(what);
    }

    pub(crate) fn violations(&self) -> usize {
        locked(&self.violations).len()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in locked(&self.counts).iter() {
            writeln!(f, "{count:>9}  {what}")?;
        }
        for (fault, times) in locked(&self.refused).iter_mut() {
            times.sort_unstable();
            let (half, longest) = (times[times.len() / 2], times[times.len() - 1]);
            let number = times.len();
            writeln!(
                f,
                "{number:>9}  inputs accepted after 503 (after {half:.1?}, at most {longest:.1?}), {fault}"
            )?;
        }
        let violations = locked(&self.violations);
        writeln!(f, "{:>9}  violations", violations.len())?;
        violations.iter().try_for_each(|violation| writeln!(f, "{violation}"))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics in here")
}
