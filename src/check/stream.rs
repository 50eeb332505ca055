//! Checks of any resumable event stream. Events without an id are passed over: they are not part of what is resumed.

use std::time::Duration;

use agent_webkit_layers::resume::ParsedEvent;

use super::{
    exchange::{Answer, Ask, Opened, Probe},
    report::{Runner, Verdict, expect, failed, skipped},
};
use crate::client::HttpService;

/// How many events are read, at most.
const MOST: usize = 300;
/// A stream that sends nothing for so long has sent what it holds.
const QUIET: Duration = Duration::from_secs(2);
/// How many positions are resumed from, and how many times a connection is cut.
const POSITIONS: usize = 20;

/// What a first reader got: what every further reader is held against.
struct Baseline {
    events: Vec<ParsedEvent>,
    ended: bool,
}

impl Baseline {
    fn id(&self, index: usize) -> &str {
        self.events[index].id.as_deref().unwrap_or_default()
    }

    fn last_id(&self) -> &str {
        self.id(self.events.len() - 1)
    }

    /// Some positions, the first and the last among them, without the very last event of all.
    fn positions(&self) -> impl Iterator<Item = usize> {
        let last = self.events.len() - 2;
        let step = (last / POSITIONS).max(1);
        (0..last).step_by(step).chain([last])
    }

    /// The ids are numbers.
    fn counts(&self) -> bool {
        self.events.iter().all(|event| event.id.as_deref().is_some_and(|id| id.parse::<u64>().is_ok()))
    }

    /// Events that a reader got after the event at `position`, or from the first on, are those of the first reader.
    fn holds(&self, position: Option<usize>, got: &[ParsedEvent]) -> Verdict {
        let start = position.map_or(0, |position| position + 1);
        let wanted = &self.events[start..];
        let after =
            position.map_or("at the start".to_owned(), |position| format!("after {:?}", self.id(position)));
        for (index, event) in got.iter().enumerate() {
            let Some(wanted) = wanted.get(index) else { break };
            let id = event.id.as_deref().unwrap_or_default();
            let known = self.events.iter().position(|known| known.id == event.id);
            expect(event == wanted, || match known {
                Some(known) if known == start + index => {
                    format!("{after}, event {id:?} is another one than the first reader got")
                }
                Some(known) if known < start + index => format!("{after}, event {id:?} came again"),
                Some(_) => format!("{after}, {:?} is missing before {id:?}", wanted.id),
                None => format!("{after}, {id:?} came instead of {:?}", wanted.id),
            })?;
        }
        let least = wanted.len();
        expect(got.len() >= least, || format!("{after}, {} of {least} events came", got.len()))
    }
}

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let Some(first) = runner
        .check("stream.opens", "GET answers with a stream of events that have ids.", baseline(probe))
        .await
    else {
        return;
    };
    let clause = "No two events have the same id.";
    if runner.check("stream.ids", clause, async { ids(&first) }).await.is_none() {
        return;
    }
    runner.check("stream.replay", "A second reader gets the same events.", replay(probe, &first)).await;
    let limit = runner.patience() * 4;
    let clause = "A reader with Last-Event-ID gets what follows that event: all of it, once, in order.";
    runner.check_within(limit, "stream.seam", clause, seams(probe, &first)).await;
    let clause = "A reader that is cut off at any byte misses nothing and gets nothing twice.";
    runner.check_within(limit, "stream.cut", clause, cuts(probe, &first)).await;
    let clause = "An id that was not given out yet is refused with 412, or the stream begins anew.";
    runner.check("stream.ahead", clause, foreign(probe, &first, ahead(&first), &[412])).await;
    let clause = "What is no id is refused with 400 or 412, or the stream begins anew.";
    runner.check("stream.malformed_id", clause, malformed(probe, &first)).await;
    let clause = "A reader that reads nothing for a while gets the same events, or is told.";
    runner.check("stream.slow", clause, slow(probe, &first)).await;
    let clause = "Several readers at once get the same events.";
    runner.check("stream.readers", clause, readers(probe, &first)).await;
    let clause = "After the end of a stream, the last id brings no event again.";
    runner.check("stream.end", clause, end(probe, &first)).await;
    let limit = runner.patience() + probe.target.keepalive.unwrap_or_default() * 3;
    let clause = "A silent stream sends comments, and goes on after them.";
    runner.check_within(limit, "stream.keepalive", clause, keepalive(probe, &first)).await;
}

fn fresh() -> Ask {
    Ask::get("")
}

fn after(id: &str) -> Ask {
    fresh().header("last-event-id", id)
}

async fn baseline<S: HttpService>(probe: &Probe<'_, S>) -> Verdict<Baseline> {
    let (events, ended) = probe.stream(fresh()).await?.numbered(MOST, QUIET).await?;
    expect(events.len() > 2, || format!("{} events with an id came within {QUIET:?}", events.len()))?;
    Ok(Baseline { events, ended })
}

fn ids(first: &Baseline) -> Verdict {
    for (index, event) in first.events.iter().enumerate() {
        expect(event.id.as_deref() != Some(""), || format!("event {} has an empty id", index + 1))?;
        let again = first.events[..index].iter().any(|earlier| earlier.id == event.id);
        expect(!again, || format!("the id {:?} came twice", event.id))?;
    }
    Ok(())
}

async fn replay<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    let mut frames = probe.stream(fresh()).await?;
    let (got, _) = frames.numbered(first.events.len(), QUIET).await?;
    if got.first().is_none_or(|event| event.id != first.events[0].id) {
        return skipped("a new reader begins with the newest events");
    }
    first.holds(None, &got)
}

async fn seams<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    for position in first.positions() {
        let mut frames = probe.stream(after(first.id(position))).await?;
        let rest = first.events.len() - position - 1;
        let (got, _) = frames.numbered(rest, QUIET).await?;
        first.holds(Some(position), &got)?;
    }
    Ok(())
}

async fn cuts<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    let length: usize = first.events.iter().map(|event| event.data.len() + event.name.len() + 20).sum();
    for cut in 1..=POSITIONS {
        // Spread over the stream, at uneven offsets.
        let offset = (length * cut / (POSITIONS + 1) + cut * 7 % 13).max(1);
        let mut frames = probe.stream(after(first.id(0))).await?.cut_after(offset);
        let (got, _) = frames.numbered(first.events.len() - 1, QUIET).await?;
        drop(frames);
        resumed(probe, first, got).await?;
    }
    Ok(())
}

/// A reader of what follows the first event got this much, and comes back for the rest.
async fn resumed<S: HttpService>(
    probe: &Probe<'_, S>,
    first: &Baseline,
    mut got: Vec<ParsedEvent>,
) -> Verdict {
    let rest = first.events.len() - 1 - got.len();
    if rest > 0 {
        let last = got.last().and_then(|event| event.id.as_deref()).unwrap_or(first.id(0));
        let mut frames = probe.stream(after(last)).await?;
        got.extend(frames.numbered(rest, QUIET).await?.0);
    }
    first.holds(Some(0), &got)
}

/// An id that the stream can't have given out.
fn ahead(first: &Baseline) -> String {
    match first.last_id().parse::<u64>() {
        Ok(last) if first.counts() => (last + 1_000_000).to_string(),
        _ => "agent-webkit-check".to_owned(),
    }
}

async fn malformed<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    if !first.counts() {
        return skipped("the ids are no numbers");
    }
    for id in ["1x", "-1", "1.5", "0x1"] {
        foreign(probe, first, id.to_owned(), &[400, 412]).await?;
    }
    Ok(())
}

/// An id that is not of the stream must not be taken for a position in it.
async fn foreign<S: HttpService>(
    probe: &Probe<'_, S>,
    first: &Baseline,
    id: String,
    statuses: &[u16],
) -> Verdict {
    match probe.open(after(&id)).await? {
        Opened::Answer(Answer { status, .. }) => {
            expect(statuses.contains(&status.as_u16()), || format!("Last-Event-ID: {id}: {status}"))
        }
        Opened::Stream(_, mut frames) => {
            let (got, _) = frames.numbered(1, QUIET).await?;
            let anew = got.first().is_some_and(|event| event.id == first.events[0].id);
            expect(anew, || match got.first() {
                None => format!("Last-Event-ID: {id}: the stream goes on as if all before it had been read"),
                Some(event) => format!("Last-Event-ID: {id}: the stream goes on with {:?}", event.id),
            })
        }
    }
}

async fn slow<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    let mut frames = probe.stream(after(first.id(0))).await?;
    tokio::time::sleep(QUIET).await;
    let rest = first.events.len() - 1;
    let mut got = Vec::new();
    while got.len() < rest {
        match tokio::time::timeout(QUIET, frames.event()).await {
            Ok(Ok(Some(event))) if event.id.is_some() => got.push(event),
            Ok(Ok(Some(_))) => {}
            // It was told by an event without an id or by the end: it resumes.
            Ok(Ok(None) | Err(_)) => break,
            Err(_) => return first.holds(Some(0), &got),
        }
    }
    resumed(probe, first, got).await
}

async fn readers<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(probe.stream(after(first.id(0))).await?);
    }
    for mut frames in open {
        let (got, _) = frames.numbered(first.events.len() - 1, QUIET).await?;
        first.holds(Some(0), &got)?;
    }
    Ok(())
}

async fn end<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    if !first.ended {
        return skipped("the stream has not ended");
    }
    match probe.open(after(first.last_id())).await? {
        Opened::Answer(_) => Ok(()),
        Opened::Stream(_, mut frames) => {
            let (got, _) = frames.numbered(1, QUIET).await?;
            match got.first() {
                None => Ok(()),
                Some(event) => failed(format!("after the end came {:?} again", event.id)),
            }
        }
    }
}

async fn keepalive<S: HttpService>(probe: &Probe<'_, S>, first: &Baseline) -> Verdict {
    let Some(time) = probe.target.keepalive else {
        return skipped("no time for it was given");
    };
    if first.ended {
        return skipped("the stream has ended");
    }
    probe.stream(after(first.last_id())).await?.comments(time).await
}
