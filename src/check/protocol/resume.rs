//! Readers that come back to the stream of a session.

use agent_webkit_layers::resume::ParsedEvent;

use super::Session;
use crate::{
    check::{
        exchange::{Ask, Probe},
        report::{Runner, Verdict, expect},
    },
    client::HttpService,
};

/// `events` are those of the session so far.
pub(super) async fn run<S: HttpService>(
    probe: &Probe<'_, S>,
    runner: &mut Runner,
    session: &Session,
    events: &[ParsedEvent],
) {
    let events: Vec<_> = events.iter().filter(|event| event.id.is_some()).cloned().collect();
    let clause = "Last-Event-ID brings what follows: all of it, once, in order, from each position.";
    let limit = runner.patience() * 4;
    runner.check_within(limit, "resume.seam", clause, seams(probe, session, &events)).await;
    let clause = "The query last_event_id does the same, and the header wins.";
    runner.check("resume.query", clause, query(probe, session, &events)).await;
    let clause = "An empty Last-Event-ID is as none: everything from the oldest event.";
    runner.check("resume.empty", clause, empty(probe, session, &events)).await;
    let clause = "A Last-Event-ID that is no number is refused with 400.";
    runner.check("resume.malformed", clause, malformed(probe, session)).await;
    let clause = "A Last-Event-ID that was not given out yet is refused with 412.";
    runner.check("resume.ahead", clause, ahead(probe, session, &events)).await;
}

/// The next events of this request are those after the first `from`.
async fn brings<S: HttpService>(
    probe: &Probe<'_, S>,
    ask: Ask,
    events: &[ParsedEvent],
    from: usize,
) -> Verdict {
    let mut frames = probe.stream(ask).await?;
    for wanted in &events[from..] {
        let got = loop {
            match frames.event().await? {
                Some(event) if event.id.is_none() => {}
                other => break other,
            }
        };
        expect(got.as_ref() == Some(wanted), || {
            let got = got.as_ref().map_or("the end".to_owned(), |got| format!("{} {:?}", got.name, got.id));
            format!("after {from}: {got} came instead of {} {:?}", wanted.name, wanted.id)
        })?;
    }
    Ok(())
}

async fn seams<S: HttpService>(probe: &Probe<'_, S>, session: &Session, events: &[ParsedEvent]) -> Verdict {
    for from in 0..events.len() {
        brings(probe, session.stream().header("last-event-id", from.to_string()), events, from).await?;
    }
    Ok(())
}

async fn query<S: HttpService>(probe: &Probe<'_, S>, session: &Session, events: &[ParsedEvent]) -> Verdict {
    let ask = |n: usize| Ask::get(session.path(&format!("/stream?last_event_id={n}")));
    brings(probe, ask(1), events, 1).await?;
    brings(probe, ask(1).header("last-event-id", "2"), events, 2).await
}

async fn empty<S: HttpService>(probe: &Probe<'_, S>, session: &Session, events: &[ParsedEvent]) -> Verdict {
    brings(probe, session.stream().header("last-event-id", ""), events, 0).await
}

async fn malformed<S: HttpService>(probe: &Probe<'_, S>, session: &Session) -> Verdict {
    for id in ["x", "1x", "-1", "+1", "1.0"] {
        probe.send(session.stream().header("last-event-id", id)).await?.refuses(400)?;
    }
    Ok(())
}

async fn ahead<S: HttpService>(probe: &Probe<'_, S>, session: &Session, events: &[ParsedEvent]) -> Verdict {
    let ahead = (events.len() + 1_000_000).to_string();
    for id in [ahead.as_str(), "99999999999999999999999"] {
        probe.send(session.stream().header("last-event-id", id)).await?.refuses(412)?;
    }
    Ok(())
}
