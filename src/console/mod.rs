//! The console: a page that shows the caller's sessions and talks to the agents, in any browser.
//!
//! [`Console`] serves the page and its files, which are part of the program. [`ConsoleLayer`] puts it in front of the
//! protocol: browsers that ask for `/` get the page, everything else reaches the inner service. Neither needs a
//! credential, because the page holds no data: it asks the user for a token, and sends it with each request to the
//! protocol.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the page, if the request accepts `text/html` |
//! | `/console/…` | its files |
//!
//! Every URL in the page is relative, so the console works below any prefix. The prefix must end in a slash in the
//! browser's address bar: `/agents/`, not `/agents`. The protocol must be at the same prefix.
//!
//! Every answer forbids the page to run inline scripts, to load anything from another origin, and to be framed.
//!
//! ```
//! use agent_webkit::console::ConsoleLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, header::ACCEPT};
//! use http_body_util::Empty;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Stands for the protocol, which refuses this request for lack of a token.
//! let protocol = service_fn(async |_: Request<()>| {
//!     Ok::<_, std::convert::Infallible>(Response::builder().status(401).body(Empty::<Bytes>::new()).unwrap())
//! });
//! let service = ConsoleLayer::new().layer(protocol);
//!
//! let browser = Request::get("/").header(ACCEPT, "text/html,*/*;q=0.8").body(())?;
//! assert_eq!(service.clone().oneshot(browser).await?.status(), 200);
//! let curl = Request::get("/").header(ACCEPT, "*/*").body(())?;
//! assert_eq!(service.oneshot(curl).await?.status(), 401);
//! # Ok(())
//! # }
//! ```

mod answer;
mod files;
mod layer;
mod service;

pub use self::{
    layer::{ConsoleLayer, ResponseFuture, WithConsole},
    service::Console,
};
