//! `POST /sessions/{id}/tickets`: a credential for `EventSource`, which cannot send headers.

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use serde::Serialize;

use super::{
    failure::Failure,
    reply,
    route::Route,
    scope::{Caller, READ},
};
use crate::{
    layers::{
        reply::ResponseBody,
        ticket::{TicketStore, Tickets},
    },
    service::error::SessionError,
};

/// Returns the session whose stream a request reads. A ticket is valid for that and nothing else.
///
/// For [`Tickets::verifier`].
#[must_use]
pub fn ticket_resource(request: &Parts) -> Option<String> {
    match (&request.method, Route::parse(request.uri.path())?) {
        (&Method::GET | &Method::HEAD, Route::Stream(id)) => Some(id.to_owned()),
        _ => None,
    }
}

/// Issues a ticket for the stream of the caller's session.
pub(crate) async fn issue<B>(
    tickets: &Tickets<impl TicketStore>,
    caller: Caller<'_>,
    session_id: &str,
) -> Result<Response<ResponseBody<B>>, Failure> {
    #[derive(Serialize)]
    struct Body<'a> {
        ticket: &'a str,
        expires_in: u64,
        stream_url: String,
    }
    let principal = caller
        .principal()
        .ok_or_else(|| SessionError::Denied("a ticket needs an authenticated caller".to_owned()))?;
    let reader = principal.clone().with_scopes(principal.scopes.narrowed_to([READ]));
    let issued = tickets
        .issue(session_id, reader)
        .await
        .map_err(|error| SessionError::unavailable(error.to_string()))?;
    let body = Body {
        ticket: &issued.ticket,
        expires_in: issued.expires_in.as_secs(),
        // Relative to the URL of this request, because the service does not know where it is mounted.
        stream_url: format!("stream?ticket={}", issued.ticket),
    };
    let mut response = reply::json(StatusCode::OK, &body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::layers::{
        auth::{Principal, Scopes, Verify},
        ticket::TicketLayer,
    };

    #[tokio::test]
    async fn whoever_comes_with_a_ticket_may_only_read() {
        let tickets = Tickets::default();
        let mut extensions = http::Extensions::new();
        extensions.insert(Principal::new("ada"));
        let issued = issue::<http_body_util::Empty<bytes::Bytes>>(&tickets, Caller::of(&extensions), "s");
        let body = issued.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let url = format!("/sessions/s/{}", body["stream_url"].as_str().unwrap());

        let verifier = tickets.verifier(ticket_resource);
        let service = tower::service_fn(async |request: Request<()>| {
            Ok::<_, std::convert::Infallible>(request.into_parts().0)
        });
        let service = tower::ServiceBuilder::new().layer(TicketLayer::new()).service(service);
        let request = Request::get(url).body(()).unwrap();
        let parts = tower::ServiceExt::oneshot(service, request).await.unwrap();
        let reader = verifier.verify(&parts).await.unwrap();
        assert_eq!(reader, Principal::new("ada").with_scopes(Scopes::of([READ])));
    }
}
