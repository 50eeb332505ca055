//! How a session's stream ends.

use std::time::Duration;

use crate::layers::resume::EventStream;

/// So long the readers of a session that has ended may take to read its last events.
const LAST_READ: Duration = Duration::from_secs(10);
const LAST_READ_POLL: Duration = Duration::from_millis(20);

/// Waits until nobody reads a closed stream any more, within bounds: forgetting it cuts its readers off.
pub(crate) async fn all_read(stream: &impl EventStream) {
    let no_reader = async {
        while stream.readers().attached > 0 {
            tokio::time::sleep(LAST_READ_POLL).await;
        }
    };
    let _ = tokio::time::timeout(LAST_READ, no_reader).await;
}

/// Lets go of the stream, whatever became of its session.
pub(crate) struct ReleasedOnDrop<S: EventStream>(pub(crate) S);

impl<S: EventStream> Drop for ReleasedOnDrop<S> {
    fn drop(&mut self) {
        self.0.release();
    }
}
