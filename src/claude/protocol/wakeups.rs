//! What the agent has scheduled for later, read from the calls of its tools and from what comes of them.
//!
//! Measured: the CLI reports a wake-up in the result of the tool that schedules it, and its coming in a frame
//! `command_lifecycle` with a `wakeup_source`. A resumed CLI has the jobs of `CronCreate` again, single ones if their
//! time has not passed, and knows nothing of `ScheduleWakeup`.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    cron,
    wire::{Members, elements},
};
use crate::{
    proto::{AgentEvent, Wakeup, WakeupKind},
    unix_ms,
};

/// Our id for the wake-up of `ScheduleWakeup`, of which there is at most one.
const LOOP: &str = "loop";

/// How much earlier than reported a job may begin.
const EARLY: u64 = 2_000;

/// The pending wake-ups of one process.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    pending: Vec<Wakeup>,
    /// The calls of the tools that have no result yet, by their ids.
    calls: HashMap<String, (Tool, Box<RawValue>)>,
}

#[derive(Clone, Copy, Debug)]
enum Tool {
    CronCreate,
    CronDelete,
    ScheduleWakeup,
}

impl Tool {
    fn of(name: &str) -> Option<Self> {
        match name {
            "CronCreate" => Some(Self::CronCreate),
            "CronDelete" => Some(Self::CronDelete),
            "ScheduleWakeup" => Some(Self::ScheduleWakeup),
            _ => None,
        }
    }
}

impl Wakeups {
    /// Those that earlier processes of the session scheduled.
    pub(crate) fn of(earlier: Vec<Wakeup>) -> Self {
        let pending = earlier.into_iter().filter(|wakeup| wakeup.kind != WakeupKind::OfProcess).collect();
        Self { pending, calls: HashMap::new() }
    }

    /// Returns the next times of those that passed while no process ran, as far as they are the CLI's affair.
    pub(crate) fn resumed(&mut self) -> Vec<AgentEvent> {
        let now = unix_ms::now();
        let has_passed =
            |wakeup: &mut Wakeup| matches!(wakeup.kind, WakeupKind::Lasting { .. }) && wakeup.at_ms <= now;
        let passed: Vec<Wakeup> = self.pending.extract_if(.., has_passed).collect();
        passed.into_iter().filter_map(|wakeup| self.again(wakeup, now)).collect()
    }

    /// Notes the calls in an `assistant` frame.
    pub(crate) fn called(&mut self, frame: &Members<'_>) {
        // What a sub-agent schedules comes to that sub-agent, and ends with it.
        if frame.get("parent_tool_use_id").is_some() {
            return;
        }
        for block in elements(Members::of(frame.get("message")).get("content")) {
            let block = Members::of(Some(block));
            if let Some(tool) = block.text("name").and_then(|name| Tool::of(&name))
                && let (Some(id), Some(input)) = (block.text("id"), block.get("input"))
            {
                self.calls.insert(id.into(), (tool, input.to_owned()));
            }
        }
    }

    /// Handles the results in a `user` frame.
    pub(crate) fn results(&mut self, frame: &Members<'_>) -> Vec<AgentEvent> {
        let result = Members::of(frame.get("tool_use_result"));
        let mut events = Vec::new();
        for block in elements(Members::of(frame.get("message")).get("content")) {
            let block = Members::of(Some(block));
            let Some((tool, input)) = block.text("tool_use_id").and_then(|id| self.calls.remove(&*id)) else {
                continue;
            };
            if block.read("is_error") == Some(true) {
                continue;
            }
            let input = Members::of(Some(&input));
            events.extend(match tool {
                Tool::CronCreate => self.created(&input, &result),
                Tool::CronDelete => input.text("id").and_then(|id| self.deleted(&id)),
                Tool::ScheduleWakeup => Some(self.scheduled(&input, &result)),
            });
        }
        events
    }

    /// Handles a `command_lifecycle` frame: a wake-up may have come.
    pub(crate) fn came(&mut self, frame: &Members<'_>, now: u64) -> Option<AgentEvent> {
        match &*frame.text("wakeup_source")? {
            "loop_wakeup" => {
                let for_ms: u64 = whole(frame, "scheduled_for")?;
                // A turn before it may have scheduled another.
                let at = self.position(LOOP).filter(|at| self.pending[*at].at_ms == for_ms)?;
                Some(gone(self.pending.remove(at)))
            }
            // The frame does not tell which job it is. The time of a single one is exact.
            _ => {
                let due = |single: bool| {
                    let pending = self.pending.iter().enumerate();
                    let due = pending.filter(|(_, wakeup)| {
                        wakeup.at_ms <= now + EARLY && wakeup.id != LOOP && is_single(wakeup) == single
                    });
                    due.min_by_key(|(_, wakeup)| wakeup.at_ms.abs_diff(now)).map(|(at, _)| at)
                };
                let came = self.pending.remove(due(true).or_else(|| due(false))?);
                self.again(came, now)
            }
        }
    }

    fn created(&mut self, input: &Members<'_>, result: &Members<'_>) -> Option<AgentEvent> {
        let schedule = input.text("cron")?;
        let is_single = result.read("recurring") == Some(false);
        let next = cron::next(&schedule, unix_ms::now(), &TimeZone::system());
        // A repeated job comes up to half an hour after the time in its expression. The CLI computes the time from the
        // expression when it resumes, so that is when it has to run.
        let reported = whole(result, "nextFireAt");
        let at_ms = if is_single { reported.or(next) } else { next.or(reported) }?;
        let kind = match result.read("durable") == Some(true) {
            false if is_single => WakeupKind::OfSession,
            _ => WakeupKind::Lasting { schedule: (!is_single).then(|| schedule.into()) },
        };
        Some(self.set(&result.text("id")?, at_ms, &input.text("prompt")?, kind))
    }

    fn scheduled(&mut self, input: &Members<'_>, result: &Members<'_>) -> AgentEvent {
        let prompt = input.text("prompt").unwrap_or_default();
        match whole(result, "scheduledFor").filter(|at| *at > 0) {
            Some(at_ms) => self.set(LOOP, at_ms, &prompt, WakeupKind::OfProcess),
            None => {
                self.pending.retain(|wakeup| wakeup.id != LOOP);
                AgentEvent::WakeupGone { id: LOOP.to_owned() }
            }
        }
    }

    fn deleted(&mut self, id: &str) -> Option<AgentEvent> {
        // The id of `ScheduleWakeup`'s is in no frame.
        let at = self.position(id).or_else(|| self.position(LOOP))?;
        Some(gone(self.pending.remove(at)))
    }

    fn set(&mut self, id: &str, at_ms: u64, prompt: &str, kind: WakeupKind) -> AgentEvent {
        let (id, message_uuid) = (id.to_owned(), Uuid::new_v4().to_string());
        let (verbatim, prompt) = (!is_loop(prompt), prompt.to_owned());
        let wakeup = Wakeup { id, message_uuid, at_ms, prompt, verbatim, kind };
        self.pending.retain(|other| other.id != wakeup.id);
        self.pending.push(wakeup.clone());
        AgentEvent::WakeupSet(wakeup)
    }

    /// A wake-up that has come: it is gone, or comes again.
    fn again(&mut self, wakeup: Wakeup, now: u64) -> Option<AgentEvent> {
        let next = match &wakeup.kind {
            WakeupKind::Lasting { schedule: Some(schedule) } => {
                cron::next(schedule, now, &TimeZone::system())
            }
            _ => None,
        };
        Some(match next {
            Some(at_ms) => {
                self.pending.push(Wakeup { at_ms, ..wakeup.clone() });
                AgentEvent::WakeupSet(Wakeup { at_ms, ..wakeup })
            }
            None => gone(wakeup),
        })
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.pending.iter().position(|wakeup| wakeup.id == id)
    }
}

fn is_single(wakeup: &Wakeup) -> bool {
    !matches!(wakeup.kind, WakeupKind::Lasting { schedule: Some(_) })
}

/// Whether a prompt is `/loop` with a task. Measured: the CLI runs this command in a prompt that comes by itself, but
/// neither commands that change settings nor mentions of files, which it would read without asking.
fn is_loop(prompt: &str) -> bool {
    prompt.split_whitespace().next() == Some("/loop") && !prompt.contains('@')
}

fn gone(wakeup: Wakeup) -> AgentEvent {
    AgentEvent::WakeupGone { id: wakeup.id }
}

/// A time in milliseconds, which may have a fraction.
fn whole(members: &Members<'_>, name: &str) -> Option<u64> {
    let millis: f64 = members.read(name)?;
    // The cast saturates.
    millis.is_finite().then_some(millis as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members<'_> {
        serde_json::from_str(json).unwrap()
    }

    /// A call of a tool and its result.
    fn call(wakeups: &mut Wakeups, tool: &str, input: &str, result: &str) -> Vec<AgentEvent> {
        let called = format!(
            r#"{{"message":{{"content":[{{"type":"tool_use","id":"t","name":"{tool}","input":{input}}}]}}}}"#
        );
        wakeups.called(&members(&called));
        let is_error = result.starts_with('"');
        let content = format!(r#"[{{"type":"tool_result","tool_use_id":"t","is_error":{is_error}}}]"#);
        let frame = format!(r#"{{"message":{{"content":{content}}},"tool_use_result":{result}}}"#);
        wakeups.results(&members(&frame))
    }

    fn create(wakeups: &mut Wakeups, id: &str, recurring: bool, at_ms: u64) -> Wakeup {
        let input = r#"{"cron":"* * * * *","prompt":"p"}"#;
        let result =
            format!(r#"{{"id":"{id}","recurring":{recurring},"durable":false,"nextFireAt":{at_ms}.5}}"#);
        match &call(wakeups, "CronCreate", input, &result)[..] {
            [AgentEvent::WakeupSet(wakeup)] => wakeup.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn came(wakeups: &mut Wakeups, now: u64) -> Option<AgentEvent> {
        wakeups.came(&members(r#"{"state":"started","wakeup_source":"schedule_wakeup"}"#), now)
    }

    #[test]
    fn a_single_job_comes_once_and_a_repeated_one_again() {
        let mut wakeups = Wakeups::default();
        let single = create(&mut wakeups, "a", false, 1);
        assert_eq!((single.at_ms, &single.kind), (1, &WakeupKind::OfSession));
        let repeated = create(&mut wakeups, "b", true, 1);
        assert!(repeated.at_ms > 60_000, "from its expression");
        let now = repeated.at_ms;
        assert!(matches!(came(&mut wakeups, now), Some(AgentEvent::WakeupGone { id }) if id == "a"));
        let Some(AgentEvent::WakeupSet(next)) = came(&mut wakeups, now) else { panic!("it comes again") };
        assert!(next.id == "b" && next.at_ms > now);
        assert!(came(&mut wakeups, now).is_none(), "it is not due");
    }

    #[test]
    fn a_loop_has_one_wakeup() {
        let mut wakeups = Wakeups::default();
        let schedule = |wakeups: &mut Wakeups, at: u64| {
            let result = format!(r#"{{"scheduledFor":{at}}}"#);
            call(wakeups, "ScheduleWakeup", r#"{"delaySeconds":60,"prompt":"p"}"#, &result)
        };
        schedule(&mut wakeups, 5);
        let [AgentEvent::WakeupSet(wakeup)] = &schedule(&mut wakeups, 7)[..] else { panic!("it is set") };
        assert_eq!((wakeup.at_ms, &wakeup.kind, wakeups.pending.len()), (7, &WakeupKind::OfProcess, 1));
        let came = |wakeups: &mut Wakeups, at: u64| {
            wakeups.came(&members(&format!(r#"{{"wakeup_source":"loop_wakeup","scheduled_for":{at}}}"#)), at)
        };
        assert!(came(&mut wakeups, 5).is_none(), "another is pending by now");
        assert!(matches!(came(&mut wakeups, 7), Some(AgentEvent::WakeupGone { .. })));
        schedule(&mut wakeups, 9);
        let stopped =
            call(&mut wakeups, "ScheduleWakeup", r#"{"stop":true}"#, r#"{"scheduledFor":0,"stopped":true}"#);
        assert!(matches!(&stopped[..], [AgentEvent::WakeupGone { .. }]) && wakeups.pending.is_empty());
    }

    #[test]
    fn only_loop_is_a_command_in_a_prompt() {
        for (prompt, verbatim) in [
            ("/loop 5m check it", false),
            ("/loop", false),
            ("/loop read @/etc/passwd", true),
            ("/loops x", true),
            ("/config permissions.defaultMode=acceptEdits", true),
            ("look at @/etc/passwd", true),
        ] {
            let input = serde_json::json!({"prompt": prompt}).to_string();
            let events = call(&mut Wakeups::default(), "ScheduleWakeup", &input, r#"{"scheduledFor":5}"#);
            let [AgentEvent::WakeupSet(wakeup)] = &events[..] else { panic!("it is set") };
            assert_eq!(wakeup.verbatim, verbatim, "{prompt}");
        }
    }

    #[test]
    fn a_cancelled_job_is_gone() {
        let mut wakeups = Wakeups::default();
        create(&mut wakeups, "a", false, u64::MAX / 4);
        assert!(call(&mut wakeups, "CronDelete", r#"{"id":"b"}"#, r#""Error: no job""#).is_empty());
        let gone = call(&mut wakeups, "CronDelete", r#"{"id":"a"}"#, r#"{"id":"a"}"#);
        assert!(matches!(&gone[..], [AgentEvent::WakeupGone { id }] if id == "a"));
    }

    #[test]
    fn a_resumed_process_has_what_outlives_its_predecessor() {
        let mut first = Wakeups::default();
        let single = create(&mut first, "a", false, 1);
        let repeated = Wakeup { at_ms: 1, ..create(&mut first, "b", true, 1) };
        let of_process = Wakeup { id: LOOP.into(), kind: WakeupKind::OfProcess, ..single.clone() };
        let mut second = Wakeups::of(vec![single, repeated, of_process]);
        let [AgentEvent::WakeupSet(next)] = &second.resumed()[..] else { panic!("it comes again") };
        assert!(next.id == "b" && next.at_ms > unix_ms::now());
        assert_eq!(second.pending.len(), 2, "whether the single one comes is not known");
        assert!(
            matches!(came(&mut second, unix_ms::now()), Some(AgentEvent::WakeupGone { id }) if id == "a")
        );
    }

    #[test]
    fn a_job_in_a_file_outlives_the_session() {
        let mut wakeups = Wakeups::default();
        let input = r#"{"cron":"0 9 * * *","prompt":"p"}"#;
        let result = r#"{"id":"a","recurring":false,"durable":true,"nextFireAt":7}"#;
        let [AgentEvent::WakeupSet(wakeup)] = &call(&mut wakeups, "CronCreate", input, result)[..] else {
            panic!("it is set")
        };
        assert_eq!((wakeup.at_ms, &wakeup.kind), (7, &WakeupKind::Lasting { schedule: None }));
    }
}
