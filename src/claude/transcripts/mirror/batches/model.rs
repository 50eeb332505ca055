//! Property test of the queue: every entry leaves once, in its transcript's order.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Push {
        transcript: u8,
        entries: u16,
    },
    Flush,
    Pass {
        ms: u64,
    },
    /// Takes a due batch, which is stored or put back.
    Leave {
        stored: bool,
    },
    /// Takes a due batch, one of whose entries the transcript store refuses.
    Refuse,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..3_u8, 1..700_u16).prop_map(|(transcript, entries)| Op::Push { transcript, entries }),
        2 => Just(Op::Flush),
        2 => (1..600_u64).prop_map(|ms| Op::Pass { ms }),
        4 => any::<bool>().prop_map(|stored| Op::Leave { stored }),
        1 => Just(Op::Refuse),
    ];
    prop::collection::vec(op, 1..60)
}

fn number(entry: &Entry) -> u64 {
    entry.json().get()[5..].trim_end_matches('}').parse().unwrap()
}

proptest! {
    #[test]
    fn every_entry_leaves_once_and_in_order(ops in ops()) {
        let mut batches = Batches::new(64 << 20);
        let mut now = Instant::now();
        let mut stored: HashMap<TranscriptKey, Vec<u64>> = HashMap::new();
        let (mut pushed, mut mark) = (0, 0);
        let mut store = |batches: &mut Batches, batch: Batch| {
            stored.entry(batch.key.clone()).or_default().extend(batch.entries.iter().map(number));
            batches.settled(&batch);
        };
        for op in ops {
            match op {
                Op::Push { transcript, entries } => {
                    let key = TranscriptKey::main("-w", format!("s{transcript}"));
                    let end = pushed + u64::from(entries);
                    let entries = (pushed..end).map(|n| format!("{{\"n\":{n}}}").parse().unwrap()).collect();
                    prop_assert_eq!(batches.push(&key, entries, now), Ok(()));
                    pushed = end;
                }
                Op::Flush => mark = batches.flush(),
                Op::Pass { ms } => now += Duration::from_millis(ms),
                Op::Leave { stored: true } => {
                    if let Some(batch) = batches.next(now) {
                        prop_assert!(batch.entries.len() <= MOST_ENTRIES);
                        store(&mut batches, batch);
                    }
                }
                Op::Leave { stored: false } => {
                    if let Some(batch) = batches.next(now) {
                        batches.put_back(batch);
                    }
                }
                Op::Refuse => {
                    if let Some(batch) = batches.next(now)
                        && let Some(single) = batches.halve(batch)
                    {
                        store(&mut batches, single);
                    }
                }
            }
        }
        // Flushed entries are due without any time passing.
        while !batches.is_stored(mark) {
            let batch = batches.next(now).expect("it is due");
            store(&mut batches, batch);
        }
        batches.flush();
        while let Some(batch) = batches.next(now) {
            store(&mut batches, batch);
        }
        prop_assert_eq!((batches.len(), batches.bytes), (0, 0));
        let mut all: Vec<u64> = stored.values().flatten().copied().collect();
        for numbers in stored.values() {
            prop_assert!(numbers.is_sorted());
        }
        all.sort_unstable();
        prop_assert_eq!(all, (0..pushed).collect::<Vec<_>>());
    }
}
