//! The ring against a model that keeps everything and computes what the ring must hold and return.

#![cfg(feature = "resume")]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use agent_webkit_layers::resume::{
    AppendError, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, RingConfig, RingLog,
    RingStream, RingTail, Tail, TailError, encode_frame,
};
use bytes::Bytes;
use proptest::{prelude::*, sample::Index};

/// Returns the output of a future of the ring, which is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the ring made somebody wait"),
    }
}

fn poll(tail: &mut RingTail) -> Poll<Option<Result<Chunk, Evicted>>> {
    tail.poll_chunk(&mut Context::from_waker(Waker::noop()))
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Tail(Place),
    Poll(Index),
    Drop(Index),
    Close,
    Release,
    Forget,
}

/// A cursor relative to the events that the stream holds when it is used.
#[derive(Clone, Debug)]
enum Place {
    Oldest,
    AroundOldest(i64),
    AroundLast(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = prop_oneof![
        Just(Place::Oldest),
        (-3i64..4).prop_map(Place::AroundOldest),
        (-4i64..3).prop_map(Place::AroundLast),
    ];
    prop_oneof![
        60 => prop::collection::vec(0usize..60, 0..7).prop_map(Step::Append),
        15 => place.prop_map(Step::Tail),
        80 => any::<Index>().prop_map(Step::Poll),
        8 => any::<Index>().prop_map(Step::Drop),
        1 => Just(Step::Close),
        1 => Just(Step::Release),
        1 => Just(Step::Forget),
    ]
}

fn config() -> impl Strategy<Value = RingConfig> {
    (1usize..12, 1usize..900, 0usize..900, 1usize..400).prop_map(|(events, bytes, lag, chunk)| {
        RingConfig::default().window_events(events).window_bytes(bytes).lag_budget(lag).chunk_bytes(chunk)
    })
}

struct Reader {
    tail: RingTail,
    next: u64,
    replay_end: u64,
    evicted: bool,
    ended: bool,
}

struct Model {
    config: RingConfig,
    /// Every frame ever appended; the first has the sequence number 1.
    frames: Vec<Bytes>,
    readers: Vec<Reader>,
    note: Option<Bytes>,
    closed: bool,
    released: bool,
    forgotten: bool,
}

impl Model {
    fn new(config: RingConfig) -> Self {
        Self {
            config,
            frames: Vec::new(),
            readers: Vec::new(),
            note: None,
            closed: false,
            released: false,
            forgotten: false,
        }
    }

    fn last(&self) -> u64 {
        self.frames.len() as u64
    }

    fn size_from(&self, seq: u64) -> usize {
        self.frames[seq as usize - 1..].iter().map(Bytes::len).sum()
    }

    /// The same with the overhead of each frame, as the lag budget counts it.
    fn kept_from(&self, seq: u64) -> usize {
        self.size_from(seq) + 32 * (self.frames.len() + 1 - seq as usize)
    }

    fn oldest(&self) -> u64 {
        let last = self.last();
        if self.forgotten || self.released || last == 0 {
            return last + 1;
        }
        let by_events = (last + 1).saturating_sub(self.config.window_events as u64).max(1);
        (by_events..last).find(|&seq| self.size_from(seq) <= self.config.window_bytes).unwrap_or(last)
    }

    fn held(&self) -> usize {
        if self.forgotten {
            return 0;
        }
        let reading = self.readers.iter().filter(|reader| !reader.evicted);
        self.size_from(reading.map(|reader| reader.next).fold(self.oldest(), u64::min))
    }

    fn evict(&mut self) {
        let oldest = self.oldest();
        for at in 0..self.readers.len() {
            let next = self.readers[at].next;
            let lost = next < oldest && (self.forgotten || self.kept_from(next) > self.config.lag_budget);
            self.readers[at].evicted |= lost;
        }
    }

    /// The largest chunk that is allowed: the frames that fit, at least one, and none beyond the end of the
    /// replay. A ring may return less to avoid a copy.
    fn chunk(&self, next: u64, replay_end: u64) -> (Vec<u8>, u64) {
        let limit = if next <= replay_end { replay_end } else { self.last() };
        let mut bytes = Vec::new();
        for seq in next..=limit {
            let frame = &self.frames[seq as usize - 1];
            if seq > next && bytes.len() + frame.len() > self.config.chunk_bytes {
                return (bytes, seq - 1);
            }
            bytes.extend_from_slice(frame);
        }
        (bytes, limit)
    }

    fn append(&mut self, stream: &RingStream, sizes: &[usize]) {
        let events: Vec<_> = sizes.iter().map(|&size| Event::new("e", vec![b'x'; size])).collect();
        let note = Bytes::from(format!("after {} and {} more", self.last(), sizes.len()));
        let result = now(stream.append(Batch { note: Some(note.clone()), ..Batch::new(events.clone()) }));
        if self.closed {
            assert!(matches!(result, Err(AppendError::Closed)));
            return;
        }
        let first = self.last() + 1;
        let frames =
            (first..).zip(&events).map(|(seq, event)| encode_frame(Some(seq), &event.name, &event.data));
        self.frames.extend(frames);
        self.note = Some(note);
        assert_eq!(result.unwrap(), first..=self.last());
        self.evict();
    }

    fn tail(&mut self, stream: &RingStream, place: &Place) {
        let (oldest, last) = (self.oldest(), self.last());
        let cursor = match place {
            Place::Oldest => Cursor::Oldest,
            Place::AroundOldest(offset) => Cursor::After(oldest.saturating_add_signed(*offset)),
            Place::AroundLast(offset) => Cursor::After(last.saturating_add_signed(*offset)),
        };
        let after = match cursor {
            Cursor::Oldest => oldest - 1,
            Cursor::After(after) => after,
        };
        match now(stream.tail(cursor)) {
            Ok(tail) => {
                assert!(!self.forgotten && after + 1 >= oldest && after <= last);
                let attached = tail.attached();
                assert_eq!((attached.after, attached.bounds), (after, stream.bounds()));
                assert_eq!(attached.note, self.note);
                self.readers.push(Reader {
                    tail,
                    next: after + 1,
                    replay_end: last,
                    evicted: false,
                    ended: false,
                });
            }
            Err(TailError::Evicted(evicted)) => {
                assert_eq!(evicted, Evicted { after, oldest });
                assert!(after + 1 < oldest);
            }
            Err(TailError::Ahead { .. }) => assert!(after > last),
            Err(TailError::Forgotten) => assert!(self.forgotten),
            Err(error) => panic!("{error}"),
        }
    }

    fn poll(&mut self, at: usize) {
        let reader = &self.readers[at];
        let (last, oldest, next) = (self.last(), self.oldest(), reader.next);
        let expected = self.chunk(next, reader.replay_end);
        let sizes: Vec<usize> = self.frames.iter().map(Bytes::len).collect();
        let reader = &mut self.readers[at];
        match poll(&mut reader.tail) {
            polled if reader.ended => assert!(matches!(polled, Poll::Ready(None))),
            Poll::Ready(Some(Err(evicted))) => {
                assert!(reader.evicted);
                assert_eq!(evicted, Evicted { after: next - 1, oldest });
                reader.ended = true;
            }
            _ if reader.evicted => panic!("an evicted reader must be told"),
            Poll::Ready(Some(Ok(chunk))) => {
                assert!(chunk.last_seq >= next && chunk.last_seq <= expected.1);
                let whole: usize = (next..=chunk.last_seq).map(|seq| sizes[seq as usize - 1]).sum();
                assert_eq!(&chunk.bytes[..], &expected.0[..whole]);
                reader.next = chunk.last_seq + 1;
            }
            Poll::Ready(None) => {
                assert!(self.closed && next > last);
                reader.ended = true;
            }
            Poll::Pending => assert!(!self.closed && next > last),
        }
    }

    fn check(&self, stream: &RingStream) {
        let bounds = stream.bounds();
        assert_eq!((bounds.oldest, bounds.last, bounds.closed), (self.oldest(), self.last(), self.closed));
        assert_eq!(stream.held_bytes(), self.held() as u64);
        let window = if self.forgotten { 0 } else { self.size_from(self.oldest()) };
        assert!(self.held() <= window.max(self.config.lag_budget));
        assert_eq!(stream.readers().attached, self.readers.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_ring_is_the_model(config in config(), steps in prop::collection::vec(step(), 1..120)) {
        let log = RingLog::new(config.clone());
        let stream = now(log.open("key")).unwrap();
        let mut model = Model::new(config);
        for step in steps {
            match step {
                Step::Append(sizes) => model.append(&stream, &sizes),
                Step::Tail(place) => model.tail(&stream, &place),
                Step::Poll(index) if !model.readers.is_empty() => model.poll(index.index(model.readers.len())),
                Step::Drop(index) if !model.readers.is_empty() => {
                    model.readers.swap_remove(index.index(model.readers.len()));
                    assert!(stream.readers().last_detached.is_some());
                }
                Step::Poll(_) | Step::Drop(_) => {}
                Step::Close => {
                    stream.close();
                    model.closed = true;
                }
                Step::Release => {
                    stream.release();
                    (model.closed, model.released) = (true, true);
                    model.evict();
                }
                Step::Forget => {
                    now(log.forget("key")).unwrap();
                    (model.closed, model.forgotten) = (true, true);
                    model.evict();
                    assert!(now(log.find("key")).unwrap().is_none());
                }
            }
            model.check(&stream);
        }
    }
}

#[test]
fn replay_from_every_position_is_the_original_byte_for_byte() {
    let stream = RingStream::new(RingConfig::default().window_events(200).chunk_bytes(300));
    let mut frames = Vec::new();
    for seq in 1..=500u64 {
        let data = format!("{{\"n\":{seq},\"pad\":\"{}\"}}", "p".repeat(seq as usize % 90));
        frames.push(encode_frame(Some(seq), "n", data.as_bytes()));
        now(stream.append(Event::new("n", data).into())).unwrap();
    }
    for after in 0..=500 {
        let tail = now(stream.tail(Cursor::After(after)));
        assert_eq!(tail.is_ok(), after >= 300, "the window holds 301 to 500");
        let Ok(mut tail) = tail else { continue };
        let mut replay = Vec::new();
        while let Poll::Ready(Some(Ok(chunk))) = poll(&mut tail) {
            replay.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(replay, frames[after as usize..].concat());
    }
}

#[test]
fn readers_at_the_same_place_share_their_bytes() {
    let stream = RingStream::new(RingConfig::default());
    let mut tails: Vec<_> = (0..100).map(|_| now(stream.tail(Cursor::Oldest)).unwrap()).collect();
    let events = (0..10).map(|n| Event::new("n", n.to_string()));
    now(stream.append(Batch::new(events.collect()))).unwrap();
    let chunks: Vec<_> = tails
        .iter_mut()
        .map(|tail| match poll(tail) {
            Poll::Ready(Some(Ok(chunk))) => chunk,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(chunks[0].last_seq, 10);
    assert!(chunks.iter().all(|chunk| chunk.bytes.as_ptr() == chunks[0].bytes.as_ptr()));
}

#[test]
fn stalled_readers_cost_one_lag_budget_together_and_are_told() {
    let stream = RingStream::new(RingConfig::default().window_events(10).lag_budget(10_000));
    let mut stalled: Vec<_> = (0..50).map(|_| now(stream.tail(Cursor::Oldest)).unwrap()).collect();
    let mut reading = now(stream.tail(Cursor::Oldest)).unwrap();
    let mut most = 0;
    for _ in 0..2000 {
        now(stream.append(Event::new("pad", vec![b'x'; 80]).into())).unwrap();
        most = most.max(stream.held_bytes());
        assert!(matches!(poll(&mut reading), Poll::Ready(Some(Ok(_)))));
    }
    assert!(most > 7_000 && most <= 10_000, "{most}");
    assert!(stream.held_bytes() < 11 * 110, "freed while the stalled readers are still attached");
    for tail in &mut stalled {
        assert!(matches!(poll(tail), Poll::Ready(Some(Err(Evicted { after: 0, oldest: 1991 })))));
        assert!(matches!(poll(tail), Poll::Ready(None)));
    }
}

#[test]
fn a_resumed_stream_goes_on_after_its_last_event() {
    let stream = RingStream::resume_at(RingConfig::default(), 41, Some("note".into()));
    assert_eq!(stream.bounds(), Bounds { oldest: 42, last: 41, closed: false });
    assert!(matches!(now(stream.tail(Cursor::After(40))), Err(TailError::Evicted(_))));
    let mut tail = now(stream.tail(Cursor::After(41))).unwrap();
    assert_eq!(tail.attached().note.as_deref(), Some(&b"note"[..]));
    assert_eq!(now(stream.append(Event::new("n", "x").into())).unwrap(), 42..=42);
    assert!(matches!(poll(&mut tail), Poll::Ready(Some(Ok(Chunk { last_seq: 42, .. })))));
}

#[test]
fn a_released_stream_gives_its_tails_what_they_have_not_read_and_frees_the_rest() {
    let stream = RingStream::new(RingConfig::default());
    let events = (0..10).map(|n| Event::new("n", n.to_string()));
    now(stream.append(Batch::new(events.collect()))).unwrap();
    let mut behind = now(stream.tail(Cursor::After(8))).unwrap();
    stream.release();
    assert!(stream.held_bytes() < 60, "two frames: {}", stream.held_bytes());
    assert!(matches!(now(stream.append(Event::new("n", "x").into())), Err(AppendError::Closed)));
    assert!(matches!(poll(&mut behind), Poll::Ready(Some(Ok(Chunk { last_seq: 10, .. })))));
    assert!(matches!(poll(&mut behind), Poll::Ready(None)));
    assert_eq!(stream.held_bytes(), 0);
}
