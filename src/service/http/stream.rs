//! Finds the stream that a request reads, for both the service and the resume layer of a stack.

use http::{Method, request::Parts};

use super::{
    route::Route,
    scope::{Caller, READ},
};
use crate::{
    layers::{
        lookup::Resolved,
        resume::{Attachment, EventLog, last_event_id},
    },
    metrics::Attach,
    service::{
        handle::SessionHandle,
        session::{session_state::session_state, watched::WatchedStream},
    },
};

/// Returns the stream of the session that a lookup layer has found, for a resume layer around the service.
///
/// `None` for a request that is not for a stream, or that the service has to refuse.
pub(crate) fn find<L: EventLog>(request: &Parts) -> Option<Attachment<WatchedStream<L::Stream>>> {
    let Some(Route::Stream(_)) = Route::parse(request.uri.path()) else { return None };
    let Resolved(session) = request.extensions.get::<Resolved<SessionHandle<L>>>()?;
    Caller::of(&request.extensions).must(READ).ok()?;
    Some(attach(request, session))
}

/// Returns the stream of this session. The reader's scope must have been checked.
pub(super) fn attach<L: EventLog>(
    request: &Parts,
    session: &SessionHandle<L>,
) -> Attachment<WatchedStream<L::Stream>> {
    let is_reader = request.method == Method::GET;
    // A malformed id is refused before it reaches the `WatchedStream`, which counts all other readers.
    if is_reader && last_event_id(request).is_err() {
        Attach::Malformed.count();
    }
    Attachment::new(WatchedStream::of(session.place(), is_reader)).state(session_state)
}
