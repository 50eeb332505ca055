//! A client of the protocol over any HTTP client, whose event streams reconnect by themselves.
//!
//! [`Client`] sends its requests through an [`HttpService`]: hyper-util's client in a program, or a `Stack` itself in a
//! test, without a socket. A [`Session`] sends messages, each with an `Idempotency-Key`, so that it takes effect once
//! however often a lost connection makes the client send it. Its [`EventStream`] yields every event once, in order
//! and typed.
//!
//! ```
//! use agent_webkit::{client::{Client, Error, HttpService, NewSession}, proto::client::ServerEvent};
//!
//! /// Asks one question, allows nothing, and returns the answer.
//! async fn ask(client: &Client<impl HttpService>, question: &str) -> Result<String, Error> {
//!     let session = client.create(&NewSession::default()).await?;
//!     session.say(question).await?;
//!     let (mut events, mut answer) = (session.events(), String::new());
//!     while let Some(item) = events.next().await {
//!         match item?.event() {
//!             Some(ServerEvent::PermissionRequest(asked)) => session.deny(&asked.correlation_id, "Not today.").await?,
//!             Some(ServerEvent::MessageDelta(piece)) => answer += piece.text().unwrap_or_default(),
//!             Some(ServerEvent::Result(_)) => break,
//!             _ => {}
//!         }
//!     }
//!     session.delete().await?;
//!     Ok(answer)
//! }
//!
//! # use std::convert::Infallible;
//! # use http::{Request, Response};
//! # use http_body_util::Full;
//! # use bytes::Bytes;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! // A server in this process; in a program, hyper-util's client and the server's URL.
//! let server = tower::service_fn(async |request: Request<Full<Bytes>>| {
//!     let (kind, body) = match (request.method().as_str(), request.uri().path()) {
//!         ("POST", "/sessions") => ("application/json", r#"{"session_id":"1","protocol_version":"1.0"}"#),
//!         ("GET", "/sessions/1/stream") => ("text/event-stream", "\
//! id: 1\nevent: message_delta\ndata: {\"message_id\":\"m\",\"delta\":{\"type\":\"text\",\"text\":\"Yes.\"}}\n\n\
//! id: 2\nevent: result\ndata: {\"session_id\":\"1\",\"subtype\":\"success\"}\n\n"),
//!         _ => ("text/plain", ""),
//!     };
//!     let response = Response::builder().header("content-type", kind);
//!     Ok::<_, Infallible>(response.body(Full::<Bytes>::from(body)).unwrap())
//! });
//! let client = Client::new(server, "/".parse().unwrap()).credential("the token");
//! assert_eq!(ask(&client, "Is anybody there?").await?, "Yes.");
//! # Ok(())
//! # }
//! ```
//!
//! # What is repeated
//!
//! | request | is sent again after |
//! |---|---|
//! | messages, reading, tickets, deletion | a lost connection, 408, 429, 500, 502, 503, 504, for at most [`Client::patience`] |
//! | looks at the agent, such as [`Session::models`] | the same but 503 |
//! | [`Client::create`] | 503 |
//! | the stream | the same, without an end |
//!
//! The pauses grow from 0.1 s to 10 s, each longer by a random part of itself; a `Retry-After` makes them longer. After a
//! 401 the callback of [`Client::renew_credential`] is asked once for another token or ticket.

mod credential;
mod error;
mod events;
mod exchange;
mod http;
mod looks;
mod root;
mod session;

pub use self::credential::Credential;
pub use self::error::{Error, Refused};
pub use self::events::{EventStream, Item};
pub use self::http::HttpService;
#[cfg(feature = "check")]
pub(crate) use self::http::ResponseBody;
pub use self::root::{Client, NewSession};
pub use self::session::Session;

#[cfg(test)]
mod tests;
