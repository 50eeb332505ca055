//! `GET /sessions`: all sessions of the caller, or a page of them.

use http::{Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{failure::Failure, reply};
use crate::{
    layers::{reply::ResponseBody, resume::EventLog},
    service::registry::sessions::Sessions,
    storage::catalog::Page,
};

/// Number of sessions of a page that does not say how many it wants, and the maximum.
const USUAL: usize = 100;
const MAXIMUM: usize = 1000;

#[derive(Serialize)]
struct List {
    sessions: Vec<Box<RawValue>>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list<L: EventLog, B>(
    sessions: &Sessions<L>,
    caller: Option<&str>,
    uri: &Uri,
) -> Result<Response<ResponseBody<B>>, Failure> {
    let list = match page(uri)? {
        None => List { sessions: sessions.describe_all(caller).await?, next: None },
        Some(page) => {
            let (sessions, next) = sessions.describe_page(caller, &page).await?;
            List { sessions, next: next.map(|next| next.to_string()) }
        }
    };
    Ok(reply::json(StatusCode::OK, &list))
}

/// The page that the query asks for; `None` for all sessions.
fn page(uri: &Uri) -> Result<Option<Page>, Failure> {
    let (mut limit, mut before) = (None, None);
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "limit" => {
                let number = value.parse().ok().filter(|limit| (1..=MAXIMUM).contains(limit));
                let wrong = || Failure::bad_request(format!("limit is a number from 1 to {MAXIMUM}"));
                limit = Some(number.ok_or_else(wrong)?);
            }
            "before" => {
                let wrong = |invalid| Failure::bad_request(format!("before cannot be read: {invalid}"));
                before = Some(value.parse().map_err(wrong)?);
            }
            _ => {}
        }
    }
    let is_page = limit.is_some() || before.is_some();
    Ok(is_page.then(|| Page { before, limit: limit.unwrap_or(USUAL) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::catalog::PageEnd;

    #[test]
    fn a_query_asks_for_all_or_for_a_page() {
        let page = |query: &str| page(&format!("/sessions?{query}").parse().unwrap()).unwrap();
        assert_eq!([page(""), page("other=1")], [None, None]);
        assert_eq!(page("limit=7"), Some(Page { before: None, limit: 7 }));
        let before = PageEnd { created_at_ms: -5, id: "a.b c".to_owned() };
        assert_eq!(page("before=-5.a.b%20c"), Some(Page { before: Some(before), limit: USUAL }));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=", "before=", "before=x.y", "before=12"] {
            assert!(page(&format!("/sessions?{query}").parse().unwrap()).is_err(), "{query}");
        }
    }
}
