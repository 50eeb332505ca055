//! Reads a session's rows in Postgres, past the server.

use sqlx::{AssertSqlSafe, PgPool};

use crate::place::Place;

/// A connection to the tables.
pub(crate) struct Rows(PgPool);

/// All rows of a session, each as text, in order.
#[derive(Debug, PartialEq)]
pub(crate) struct All {
    pub(crate) events: Vec<String>,
    pub(crate) transcript: Vec<String>,
}

impl Rows {
    pub(crate) async fn of(place: &Place) -> Self {
        Self(PgPool::connect(place.database().url()).await.expect("the database of this test"))
    }

    pub(crate) async fn all(&self, id: &str) -> All {
        let events = "select seq || ' ' || name || ' ' || convert_from(data, 'UTF8')
            from agent_webkit_events e join agent_webkit_streams s on s.id = e.stream
            where s.key = $1 order by seq";
        let transcript = "select seq || ' ' || entry::text || inserted_at_ms
            from session_entries where session_id = $1 order by seq";
        All { events: self.texts(events, id).await, transcript: self.texts(transcript, id).await }
    }

    async fn texts(&self, query: &str, id: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(query)).bind(id);
        query.fetch_all(&self.0).await.expect("rows")
    }
}

impl All {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.transcript.is_empty()
    }
}
