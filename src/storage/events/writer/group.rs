use std::{collections::HashMap, sync::Arc};

use crate::{
    layers::resume::{AppendError, EventStream},
    storage::events::{
        backend::Write,
        open_stream::{Append, OpenStream},
        part::Classify,
    },
};

/// What one transaction stores: one write for each stream.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Positions by stream id and epoch, because a stream may be opened again while its close waits.
    places: HashMap<(i64, i64), usize>,
    entries: Vec<Entry>,
    writes: Vec<Write>,
}

/// A stream in a group, and the appends that make up its write.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stream: Arc<OpenStream>,
    appends: Vec<Append>,
}

impl Group {
    pub(super) fn append(&mut self, append: Append, classify: Classify) {
        if let Err(error) = append.stream.check_written() {
            let _ = append.done.send(Err(error));
            return;
        }
        let place = self.place(&append.stream);
        let write = &mut self.writes[place];
        if write.close {
            let _ = append.done.send(Err(AppendError::Closed));
            return;
        }
        for event in &append.batch.events {
            write.add(event, classify(event));
        }
        if let Some(note) = &append.batch.note {
            write.note = Some(note.clone());
        }
        write.outbox.extend_from_slice(&append.batch.outbox);
        self.entries[place].appends.push(append);
    }

    /// Adds the stream's close, which is stored even if the stream was released since.
    pub(super) fn close(&mut self, stream: &Arc<OpenStream>) {
        let place = self.place(stream);
        self.writes[place].close = true;
    }

    pub(super) fn into_parts(self) -> (Vec<Entry>, Vec<Write>) {
        (self.entries, self.writes)
    }

    fn place(&mut self, stream: &Arc<OpenStream>) -> usize {
        *self.places.entry((stream.id, stream.epoch)).or_insert_with(|| {
            self.entries.push(Entry { stream: Arc::clone(stream), appends: Vec::new() });
            self.writes.push(Write {
                id: stream.id,
                epoch: stream.epoch,
                expected: stream.ring.bounds().last,
                note: None,
                close: false,
                runs: Vec::new(),
                outbox: Vec::new(),
            });
            self.writes.len() - 1
        })
    }
}

impl Entry {
    /// After the write was stored: shows it to the readers and answers the appends.
    pub(super) async fn show(self, write: &Write) {
        self.stream.stored(write);
        let mut last = write.expected;
        for Append { batch, done, .. } in self.appends {
            let first = last + 1;
            last += batch.events.len() as u64;
            // Fails if the stream was released meanwhile: it has no readers, but the batch is stored.
            let _ = self.stream.ring.append(batch).await;
            let _ = done.send(Ok(first..=last));
        }
        if write.close {
            self.stream.ring.close();
            self.stream.leave();
        }
        self.stream.shared.wake.grew(&self.stream.key);
    }

    /// After the write was not stored, or may not be: releases the stream and fails the appends.
    pub(super) fn fail(self, error: impl Fn() -> AppendError) {
        self.stream.release();
        for append in self.appends {
            let _ = append.done.send(Err(error()));
        }
    }
}
