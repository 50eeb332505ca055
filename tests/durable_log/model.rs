//! The event log against a model that keeps everything and knows what each reader may receive.

use agent_webkit::{
    layers::resume::{AppendError, Batch, Cursor, Event, EventLog, EventStream, RingConfig, TailError},
    storage::events::{DurableConfig, DurableStream, Part},
};
use proptest::{prelude::*, sample::Index};

use crate::{
    place::Place,
    reader::{Item, Reader, eventually, frame},
};

#[derive(Clone, Debug)]
enum Step {
    /// Numbers of events of these messages. A negative message is its completion; message 0 stands for other
    /// events.
    Append(Vec<(i8, usize)>),
    Tail(From),
    Read(Index),
    Drop(Index),
    /// Releases the stream and opens it again, in this event log or in another one.
    Reopen {
        elsewhere: bool,
    },
    /// Another log opens the stream before this one knows.
    Fence,
    Close,
}

/// A cursor relative to the events that the stream holds when it is used.
#[derive(Clone, Debug)]
enum From {
    Oldest,
    AroundOldest(i64),
    Anywhere(Index),
    AroundLast(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let from = prop_oneof![
        Just(From::Oldest),
        (-3i64..4).prop_map(From::AroundOldest),
        any::<Index>().prop_map(From::Anywhere),
        (-4i64..3).prop_map(From::AroundLast),
    ];
    prop_oneof![
        40 => prop::collection::vec((-3i8..4, alike()), 0..6).prop_map(Step::Append),
        15 => from.prop_map(Step::Tail),
        40 => any::<Index>().prop_map(Step::Read),
        8 => any::<Index>().prop_map(Step::Drop),
        4 => any::<bool>().prop_map(|elsewhere| Step::Reopen { elsewhere }),
        1 => Just(Step::Fence),
        1 => Just(Step::Close),
    ]
}

/// Number of consecutive events that may share a row.
fn alike() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 1usize..4, 3 => 4usize..40, 1 => 40usize..600]
}

fn config() -> impl Strategy<Value = DurableConfig> {
    let window = prop_oneof![Just(None), (1u64..900).prop_map(Some)];
    let lag = prop_oneof![0usize..3000, 0usize..300_000];
    (window, 0u64..900, 1usize..20, 1usize..900, lag).prop_map(|(window, kept, events, bytes, lag)| {
        DurableConfig::default()
            .window_events(window)
            .uncompacted_events(kept)
            .recent(RingConfig::default().window_events(events).window_bytes(bytes).lag_budget(lag))
            .classify(|event| match (&*event.name, String::from_utf8_lossy(&event.data)) {
                ("piece", data) => Part::PieceOf(data[..1].to_owned()),
                ("whole", data) => Part::Whole(data[..1].to_owned()),
                _ => Part::None,
            })
    })
}

/// The event of this message at `seq`. Except for empty events, no two events are equal.
fn event(message: i8, seq: u64) -> Event {
    let pad = if seq.is_multiple_of(401) { 40_000 } else { seq as usize * 7 % 23 };
    let told = format!("{seq} {}", "é".repeat(pad));
    match message {
        0 if seq.is_multiple_of(3) => Event::new("it's \"none\" é", ""),
        0 => Event::new("it's \"none\" é", told),
        1.. => Event::new("piece", format!("{message} {told}")),
        _ => Event::new("whole", format!("{} {told}", message.unsigned_abs())),
    }
}

/// A reader, and whether its stream was released since.
struct Attached {
    reader: Reader,
    generation: usize,
    /// The newest event when its stream was released.
    end: Option<u64>,
}

struct Model {
    config: DurableConfig,
    messages: Vec<i8>,
    readers: Vec<Attached>,
    note: Option<String>,
    generation: usize,
    /// The newest event when the stream was opened last.
    opened_at: u64,
    closed: bool,
}

impl Model {
    fn last(&self) -> u64 {
        self.messages.len() as u64
    }

    fn oldest(&self) -> u64 {
        self.config.window_events.map_or(1, |events| (self.last() + 1).saturating_sub(events).max(1))
    }

    /// The size as the lag budget counts it: the data, about 40 bytes around it, and 32 bytes for each frame.
    fn size_from(&self, seq: u64) -> usize {
        (seq..=self.last()).map(|seq| self.event(seq).data.len() + 40 + 32).sum()
    }

    fn event(&self, seq: u64) -> Event {
        event(self.messages[seq as usize - 1], seq)
    }

    fn may_be_compacted(&self, seq: u64) -> bool {
        let message = self.messages[seq as usize - 1];
        self.config.window_events.is_none()
            && message > 0
            && seq + self.config.uncompacted_events <= self.last()
            && self.messages[seq as usize..].contains(&-message)
    }

    async fn append(&mut self, stream: &DurableStream, messages: &[(i8, usize)]) {
        let messages: Vec<_> = messages.iter().flat_map(|&(message, count)| vec![message; count]).collect();
        let note = format!("after {} and {} more", self.last(), messages.len());
        let events = (self.last() + 1..).zip(&messages).map(|(seq, message)| event(*message, seq)).collect();
        let result = stream.append(Batch { note: Some(note.clone().into()), ..Batch::new(events) }).await;
        if self.closed {
            assert!(matches!(result, Err(AppendError::Closed)));
            return;
        }
        let first = self.last() + 1;
        self.messages.extend(messages);
        self.note = Some(note);
        assert_eq!(result.unwrap(), first..=self.last());
    }

    async fn tail(&mut self, stream: &DurableStream, from: &From) {
        let (oldest, last) = (self.oldest(), self.last());
        let after = match from {
            From::Oldest => oldest - 1,
            From::AroundOldest(offset) => oldest.saturating_add_signed(*offset),
            From::Anywhere(index) => index.index(last as usize + 1) as u64,
            From::AroundLast(offset) => last.saturating_add_signed(*offset),
        };
        let cursor = if matches!(from, From::Oldest) { Cursor::Oldest } else { Cursor::After(after) };
        match stream.tail(cursor).await {
            Ok(tail) => {
                assert!(after + 1 >= oldest && after <= last);
                let reader = Reader::new(tail);
                use agent_webkit::layers::resume::Tail;
                let attached = reader.tail.attached();
                assert_eq!((attached.after, attached.bounds), (after, stream.bounds()));
                assert_eq!(attached.note.as_deref(), self.note.as_deref().map(str::as_bytes));
                self.readers.push(Attached { reader, generation: self.generation, end: None });
            }
            Err(TailError::Evicted(evicted)) => {
                assert_eq!((evicted.after, evicted.oldest), (after, oldest));
                assert!(after + 1 < oldest);
            }
            Err(TailError::Ahead { .. }) => assert!(after > last),
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads one chunk, if there is one.
    async fn read(&mut self, at: usize) {
        let Attached { reader, generation, end } = &self.readers[at];
        let before = reader.seq;
        let current = *generation == self.generation;
        let live = current && !self.closed;
        if live && before == self.last() {
            return;
        }
        let end = end.unwrap_or(self.last());
        match self.readers[at].reader.chunk().await {
            Some(Ok(items)) => {
                assert!(self.readers[at].reader.seq <= end);
                for item in items {
                    match item {
                        Item::Frame(seq, _) => {
                            assert_eq!(item, frame(seq, &self.event(seq)));
                        }
                        Item::Compacted(range) => {
                            let mut range = range;
                            assert!(range.all(|seq| self.may_be_compacted(seq)));
                        }
                    }
                }
            }
            Some(Err(evicted)) => {
                assert_eq!(evicted.after, before);
                // Rows are kept for the readers of the open stream, not for those of a released one.
                let trimmed = !current && before + 1 < self.oldest();
                assert!(trimmed || self.size_from(before + 1) > self.config.recent.lag_budget);
                self.readers.swap_remove(at);
            }
            None => {
                assert!(!live && before == end, "{before} of {end}");
                self.readers.swap_remove(at);
            }
        }
    }

    async fn close(&mut self, stream: &DurableStream) {
        stream.close();
        self.closed = true;
        // The end is stored like an event, and readers see it.
        let mut reader = Reader::attach(stream, Cursor::After(self.last())).await;
        assert_eq!(reader.rest().await, []);
    }

    /// Records that readers of the current opening receive nothing after this.
    fn let_go(&mut self) {
        let last = self.last();
        for attached in self.readers.iter_mut().filter(|attached| attached.end.is_none()) {
            attached.end = Some(last);
        }
        self.generation += 1;
        self.opened_at = last;
    }

    /// Checks that in the end everything is removed that has to be, and nothing else. Deltas of messages that
    /// began before the stream was last opened may stay.
    async fn settles(&self, place: &Place, key: &str) {
        let of_key = format!(
            "from agent_webkit_events where stream = (select id from agent_webkit_streams where key = '{key}')"
        );
        let stored = async || place.numbers(&format!("select seq {of_key} order by seq")).await;
        let must_go = |seq: u64| seq < self.oldest() || seq > self.opened_at && self.may_be_compacted(seq);
        eventually("upkeep", async || !stored().await.iter().any(|seq| must_go(seq.unsigned_abs()))).await;
        let sizes = format!("select cast(length(data) as bigint) {of_key} order by seq");
        // What may go, but need not, may still be on its way out between two looks.
        let (stored, sizes) = loop {
            let (before, sizes) = (stored().await, place.numbers(&sizes).await);
            if stored().await == before {
                break (before, sizes);
            }
        };
        let mut gone = (self.oldest()..=self.last()).filter(|seq| !stored.contains(&seq.cast_signed()));
        assert_eq!(gone.find(|seq| !self.may_be_compacted(*seq)), None);
        let expected = stored.iter().map(|seq| self.event(seq.unsigned_abs()).data.len() as i64);
        assert_eq!(sizes, expected.collect::<Vec<_>>());
    }
}

async fn run(place: &Place, key: &str, config: DurableConfig, steps: Vec<Step>) {
    let logs = [place.log(config.clone()), place.log(config.clone())];
    let mut at = 0;
    let mut stream = logs[at].open(key).await.unwrap();
    let mut model = Model {
        config,
        messages: Vec::new(),
        readers: Vec::new(),
        note: None,
        generation: 0,
        opened_at: 0,
        closed: false,
    };
    for step in steps {
        let readers = model.readers.len();
        match step {
            Step::Append(messages) => model.append(&stream, &messages).await,
            Step::Tail(from) => model.tail(&stream, &from).await,
            Step::Read(index) if readers > 0 => model.read(index.index(readers)).await,
            Step::Drop(index) if readers > 0 => {
                model.readers.swap_remove(index.index(readers));
            }
            Step::Read(_) | Step::Drop(_) => {}
            Step::Reopen { elsewhere } => {
                stream.release();
                model.let_go();
                at = (at + usize::from(elsewhere)) % 2;
                stream = logs[at].open(key).await.unwrap();
            }
            Step::Fence => {
                let fenced = stream;
                at = (at + 1) % 2;
                stream = logs[at].open(key).await.unwrap();
                let refused = fenced.append(Event::new("late", "").into()).await;
                assert!(matches!(refused, Err(AppendError::Fenced | AppendError::Closed)));
                model.let_go();
            }
            Step::Close => model.close(&stream).await,
        }
        let bounds = stream.bounds();
        assert_eq!((bounds.oldest, bounds.last, bounds.closed), (model.oldest(), model.last(), model.closed));
    }
    model.readers.clear();
    model.close(&stream).await;
    model.settles(place, key).await;
    model.tail(&stream, &From::Oldest).await;
    while !model.readers.is_empty() {
        model.read(0).await;
    }
    logs[at].forget(key).await.unwrap();
}

fn check(runtime: &tokio::runtime::Runtime, place: &Place) {
    // A failing case waits, so that looking for a smaller one would take longer than the test may.
    let (cases, max_shrink_time) = (60, 60_000);
    let config_of_test =
        ProptestConfig { cases, max_shrink_time, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config_of_test);
    let case = std::cell::Cell::new(0);
    runner
        .run(&(config(), prop::collection::vec(step(), 1..100)), |(config, steps)| {
            case.set(case.get() + 1);
            runtime.block_on(run(place, &case.get().to_string(), config, steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_log_on_sqlite_is_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    check(&runtime, &runtime.block_on(Place::sqlite()));
}

#[test]
fn the_log_on_postgres_is_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = runtime.block_on(Place::postgres());
    check(&runtime, &place);
}
