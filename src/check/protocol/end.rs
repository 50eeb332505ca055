//! The end of a session.

use super::Session;
use crate::{
    check::{
        exchange::Probe,
        report::{Runner, Verdict, expect},
    },
    client::HttpService,
};

pub(super) async fn run<S: HttpService>(probe: &Probe<'_, S>, runner: &mut Runner) {
    let clause = "DELETE ends the stream of an attached reader: done is its last event, then the body ends.";
    runner.check("delete.done", clause, done(probe)).await;
}

async fn done<S: HttpService>(probe: &Probe<'_, S>) -> Verdict {
    let session = Session::create(probe).await?;
    let mut frames = probe.stream(session.stream()).await?;
    session.delete(probe).await?;
    let events = frames.until(&["done"]).await?;
    let done = events.last().expect("the events end with done");
    expect(&done.data[..] == b"{}", || format!("its data is {:?}", done.data))?;
    let more = frames.item().await?;
    expect(more.is_none(), || format!("after it came {more:?}"))
}
