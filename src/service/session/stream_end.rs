//! The end of a session's stream.

use std::time::Duration;

use crate::layers::resume::EventStream;

/// Maximum time for the readers of an ended session to read its last events.
const LAST_READ: Duration = Duration::from_secs(10);
const LAST_READ_POLL: Duration = Duration::from_millis(20);

/// Waits, at most `LAST_READ`, until a closed stream has no reader. Call it before the stream is forgotten,
/// which cuts off its readers.
pub(crate) async fn all_read(stream: &impl EventStream) {
    let no_reader = async {
        while stream.readers().attached > 0 {
            tokio::time::sleep(LAST_READ_POLL).await;
        }
    };
    let _ = tokio::time::timeout(LAST_READ, no_reader).await;
}

/// Releases the stream when dropped, however the session ended.
pub(crate) struct ReleasedOnDrop<S: EventStream>(pub(crate) S);

impl<S: EventStream> Drop for ReleasedOnDrop<S> {
    fn drop(&mut self) {
        self.0.release();
    }
}
