//! Detects whether a session's note has changed, without building the note.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use crate::proto::{DayCost, IdempotencyKey, Memo, Note, Status, Wakeup, session::WhenIdle};

/// Maximum number of idempotency keys in the note.
const KEYS: usize = 256;

/// What the last note held, as far as a change can be detected. Of the queue and the keys, the number or the
/// last element is enough, because between two comparisons each of them only grows or only shrinks.
#[derive(Debug, Default)]
pub(super) struct Noted {
    state: Option<(Status, f64, f64)>,
    /// Boxed, because most sessions are never stored.
    memo: Option<Box<MemoSeen>>,
}

#[derive(Debug, Default, PartialEq)]
struct MemoSeen {
    queued: usize,
    last_queued: Option<String>,
    last_key: Option<String>,
    permissions: usize,
    mode_before_plan: Option<String>,
    effort: Option<String>,
    wakeups: Vec<Wakeup>,
    tasks: BTreeSet<String>,
    mcp: BTreeMap<String, String>,
}

impl Session {
    /// Returns the session's note if it has changed since the last call.
    pub fn take_note(&mut self) -> Option<Note> {
        // All parts are evaluated, without a short circuit, because each also records what it has seen.
        let state = (self.status(), self.cost.session(), self.cost.running());
        let prompts_changed = self.prompts.take_changed();
        let memo_changed = self.is_restorable() && self.memo_changed();
        if self.noted.state.replace(state) == Some(state) && !prompts_changed && !memo_changed {
            return None;
        }
        Some(Note {
            status: state.0,
            pending: self.prompts.open(),
            session_cost_usd: state.1,
            memo: self.is_restorable().then(|| self.memo()),
        })
    }

    fn is_restorable(&self) -> bool {
        self.config.when_idle == WhenIdle::Release
    }

    fn memo(&self) -> Memo {
        Memo {
            queued: self.turns.waiting().map(|queued| queued.message_uuid.clone()).collect(),
            queued_span: self.turns.span(),
            message_ids: self.message_ids.encode(),
            budget_usd: self.config.budget_usd,
            day_cost: DayCost::new(self.spending.day, self.cost.session() - self.spending.before),
            running_usd: self.cost.running(),
            inherited_usd: self.spending.inherited,
            verbatim: self
                .turns
                .waiting()
                .filter(|queued| queued.verbatim)
                .map(|queued| queued.message_uuid.clone())
                .collect(),
            resumable: self.prompts.resumable().into_iter().collect(),
            keys: self.keys.newest(KEYS).map(|known| known.key.clone()).collect(),
            sent: self
                .keys
                .newest(KEYS)
                .filter_map(|known| Some((known.key.key.clone(), known.message_uuid.clone()?)))
                .collect(),
            permissions: self.permissions.clone(),
            mode_before_plan: self.mode_before_plan.clone(),
            effort: self.effort.clone(),
            wakeups: self.wakeups.all().cloned().collect(),
            tasks: self.running_tasks.clone(),
            mcp: self.mcp.clone(),
        }
    }

    fn memo_changed(&mut self) -> bool {
        let seen = self.noted.memo.get_or_insert_default();
        let last_queued = self.turns.waiting().last().map(|queued| queued.message_uuid.as_str());
        let last_key = self.keys.last().map(|IdempotencyKey { key, .. }| key.as_str());
        let same = seen.queued == self.turns.queued()
            && seen.last_queued.as_deref() == last_queued
            && seen.last_key.as_deref() == last_key
            && seen.permissions == self.permissions.len()
            && seen.mode_before_plan == self.mode_before_plan
            && seen.effort == self.effort
            && seen.wakeups.iter().eq(self.wakeups.all())
            && seen.tasks == self.running_tasks
            && seen.mcp == self.mcp;
        if !same {
            **seen = MemoSeen {
                queued: self.turns.queued(),
                last_queued: last_queued.map(str::to_owned),
                last_key: last_key.map(str::to_owned),
                permissions: self.permissions.len(),
                mode_before_plan: self.mode_before_plan.clone(),
                effort: self.effort.clone(),
                wakeups: self.wakeups.all().cloned().collect(),
                tasks: self.running_tasks.clone(),
                mcp: self.mcp.clone(),
            };
        }
        !same
    }
}
