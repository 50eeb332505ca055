//! What a webhook says: its body, and the record of it in the outbox.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{
    endpoint::{Endpoints, EventKind},
    link::Links,
};
use crate::{layers::resume::Event, service::notices::Noticed, unix_ms};

/// Maximum size of an event in a body, in bytes. Of a larger one the largest members are left out.
const LONGEST: usize = 48 << 10;

/// A message on its way to one endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The same in every attempt.
    pub(crate) id: String,
    /// The name of the endpoint, from which its carrier knows it.
    pub(crate) endpoint: String,
    pub(crate) session_id: String,
    /// In milliseconds since the Unix epoch.
    created_at_ms: u64,
    pub(crate) body: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    session_id: &'a str,
    owner: Option<&'a str>,
    title: Option<&'a str>,
    cwd: Cow<'a, str>,
    event: &'a RawValue,
    /// The members of the event that are left out because they are too large.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    omitted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_expires_at: Option<String>,
}

impl Message {
    /// A message about what happened at this time, in milliseconds since the Unix epoch.
    pub(crate) fn new(endpoint: String, session_id: &str, created_at_ms: u64, body: String) -> Self {
        Self {
            id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
            endpoint,
            session_id: session_id.to_owned(),
            created_at_ms,
            body,
        }
    }

    /// The same message to one of several endpoints. `part` makes its id, which is the same whenever it is divided again.
    #[cfg(feature = "push")]
    pub(crate) fn part(&self, part: &str, endpoint: String) -> Self {
        Self {
            id: format!("{}-{part}", self.id),
            endpoint,
            session_id: self.session_id.clone(),
            created_at_ms: self.created_at_ms,
            body: self.body.clone(),
        }
    }

    /// The messages about an event, one for each endpoint that gets it.
    pub(super) fn about(event: &Event, of: &Noticed<'_>, endpoints: &Endpoints, links: &Links) -> Vec<Self> {
        let Some(kind) = EventKind::of(&event.name) else { return Vec::new() };
        let endpoints = endpoints.of(of.owner, kind);
        if endpoints.is_empty() {
            return Vec::new();
        }
        let now = unix_ms::now();
        let Some((shown, omitted)) = fitting(&event.data) else { return Vec::new() };
        let message = |(name, endpoint): (String, _)| {
            let link = (event.name == "permission_request").then(|| {
                let prompt = correlation_id(&event.data)?;
                links.make((&name, &endpoint), of.owner, of.id, &prompt)
            });
            let (approve_url, expires_at) = link.flatten().unzip();
            let body = Body {
                r#type: &event.name,
                timestamp: time(Duration::from_millis(now)),
                data: Data {
                    session_id: of.id,
                    owner: of.owner,
                    title: of.title,
                    cwd: of.cwd.to_string_lossy(),
                    event: &shown,
                    omitted: omitted.clone(),
                    approve_url,
                    approve_expires_at: expires_at.map(|seconds| time(Duration::from_secs(seconds))),
                },
            };
            Self::new(name, of.id, now, serde_json::to_string(&body).expect("made of strings"))
        };
        endpoints.into_iter().map(message).collect()
    }

    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("made of strings").into()
    }

    /// `None` if it was written by a newer version.
    pub(super) fn decode(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(record).ok()
    }

    pub(crate) fn age(&self) -> Duration {
        SystemTime::now().duration_since(unix_ms::time(self.created_at_ms)).unwrap_or_default()
    }
}

/// The event's data, without its largest members if it is too large, and the names of those.
fn fitting(data: &[u8]) -> Option<(Box<RawValue>, Vec<String>)> {
    let whole: &RawValue = serde_json::from_slice(data).ok()?;
    if data.len() <= LONGEST {
        return Some((whole.to_owned(), Vec::new()));
    }
    let mut members: Map<String, Value> = serde_json::from_slice(data).ok()?;
    let mut sizes: Vec<(usize, String)> =
        members.iter().map(|(name, value)| (value.to_string().len(), name.clone())).collect();
    sizes.sort_unstable();
    let mut omitted = Vec::new();
    let mut left = data.len();
    while let Some((size, name)) = sizes.pop().filter(|_| left > LONGEST) {
        members.remove(&name);
        left = left.saturating_sub(size);
        omitted.push(name);
    }
    Some((serde_json::value::to_raw_value(&members).ok()?, omitted))
}

fn correlation_id(data: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Prompt {
        correlation_id: String,
    }
    serde_json::from_slice(data).map(|Prompt { correlation_id }| correlation_id).ok()
}

/// A time since the Unix epoch, as RFC 3339 writes it.
pub(crate) fn time(since: Duration) -> String {
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_large_event_the_largest_members_are_left_out() {
        let small = json!({"correlation_id": "a", "input": {"command": "ls"}}).to_string();
        let (shown, omitted) = fitting(small.as_bytes()).unwrap();
        assert_eq!((shown.get(), omitted.len()), (&*small, 0));
        let large = json!({"correlation_id": "a", "input": "x".repeat(LONGEST), "tool_name": "Write"});
        let (shown, omitted) = fitting(large.to_string().as_bytes()).unwrap();
        assert_eq!(omitted, ["input"]);
        assert_eq!(
            serde_json::from_str::<Value>(shown.get()).unwrap(),
            json!({"correlation_id": "a", "tool_name": "Write"})
        );
    }

    #[test]
    fn a_time_is_that_of_rfc_3339() {
        assert_eq!(time(Duration::from_millis(1_614_265_330_250)), "2021-02-25T15:02:10.25Z");
    }
}
