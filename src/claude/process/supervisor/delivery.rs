//! What the session is told, and what has to be stored before.

use super::Supervisor;
use crate::{
    claude::{protocol::bridge::Bridge, transcripts::mirror::Mirror},
    proto::AgentEvent,
};

impl Supervisor {
    /// Passes on what there is room for.
    pub(crate) fn deliver(&mut self) {
        if self.events.is_closed() {
            self.bridge.events().clear();
        }
        while !self.bridge.events().is_empty()
            && let Ok(permit) = self.events.try_reserve()
            && !is_held(&mut self.bridge, self.mirror.as_mut())
        {
            permit.send(self.bridge.events().pop_front().expect("there is one"));
        }
    }

    /// What is next to be told has to wait for the store.
    pub(crate) fn is_held(&mut self) -> bool {
        is_held(&mut self.bridge, self.mirror.as_mut())
    }

    /// Gives the transcript's new entries to the mirror.
    pub(crate) fn keep(&mut self) {
        for mirrored in self.bridge.take_mirrored() {
            let news = self.mirror.as_mut().and_then(|mirror| mirror.take(mirrored));
            self.tell_first(news);
        }
    }

    /// Tells what the mirror has to say, before anything that waits for the mirror.
    pub(crate) fn tell_first(&mut self, news: Option<AgentEvent>) {
        if let Some(AgentEvent::Fenced) = news {
            self.bridge.events().clear();
            self.abort();
        }
        if let Some(news) = news {
            self.bridge.events().push_front(news);
        }
    }
}

/// The end of a turn waits until the transcript is stored up to it.
fn is_held(bridge: &mut Bridge, mirror: Option<&mut Mirror>) -> bool {
    let ended = matches!(bridge.events().front(), Some(AgentEvent::TurnEnded(_)));
    ended && mirror.is_some_and(Mirror::holds)
}
