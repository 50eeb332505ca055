//! The routes of the service.
//!
//! Paths are relative to where the service is mounted: hosts that nest it strip their prefix.

use http::{Method, request::Parts};

use crate::proto::Look;

/// The resource that a path names. [`Route::allow`] lists its methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/sessions`
    Sessions,
    /// `/sessions/{id}`
    Session(&'a str),
    /// `/sessions/{id}/stream`
    Stream(&'a str),
    /// `/sessions/{id}/input`
    Input(&'a str),
    /// `/sessions/{id}/tickets`
    Tickets(&'a str),
    /// `/sessions/{id}/commands`, `…/models`, `…/context`, `…/mcp`
    Look(&'a str, Look),
    /// `/sessions/{id}/files`
    Files(&'a str),
}

impl<'a> Route<'a> {
    /// Parses a path; `None` if it names nothing. A path with a trailing slash names nothing.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        if segments.next() != Some("sessions") {
            return None;
        }
        let route = match (segments.next(), segments.next()) {
            (None, _) => Self::Sessions,
            (Some(""), _) => return None,
            (Some(id), None) => Self::Session(id),
            (Some(id), Some("stream")) => Self::Stream(id),
            (Some(id), Some("input")) => Self::Input(id),
            (Some(id), Some("tickets")) => Self::Tickets(id),
            (Some(id), Some("files")) => Self::Files(id),
            (Some(id), Some(name)) => Self::Look(id, Look::ALL.into_iter().find(|look| look.name() == name)?),
        };
        segments.next().is_none().then_some(route)
    }

    /// The methods that the path accepts, as in the `Allow` header.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Sessions => "GET, HEAD, OPTIONS, POST",
            Self::Session(_) => "DELETE, GET, HEAD, OPTIONS",
            Self::Stream(_) | Self::Look(..) | Self::Files(_) => "GET, HEAD, OPTIONS",
            Self::Input(_) | Self::Tickets(_) => "OPTIONS, POST",
        }
    }
}

/// Returns the id of the session that a request requires, for a lookup layer.
///
/// `None` for paths without an id, for `DELETE`, which answers 204 whatever the id is, and for methods that
/// the path does not accept.
#[must_use]
pub fn session_id(request: &Parts) -> Option<String> {
    match (&request.method, Route::parse(request.uri.path())?) {
        (
            &Method::GET | &Method::HEAD,
            Route::Session(id) | Route::Stream(id) | Route::Look(id, _) | Route::Files(id),
        )
        | (&Method::POST, Route::Input(id) | Route::Tickets(id)) => Some(id.to_owned()),
        _ => None,
    }
}

/// Returns the session id in the path, if there is one.
pub(crate) fn session_of(path: &str) -> Option<&str> {
    match Route::parse(path)? {
        Route::Sessions => None,
        Route::Session(id)
        | Route::Stream(id)
        | Route::Input(id)
        | Route::Tickets(id)
        | Route::Look(id, _)
        | Route::Files(id) => Some(id),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn id(method: &str, path: &str) -> Option<String> {
        session_id(&Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn an_id_is_looked_up_only_where_it_must_exist() {
        for (method, path) in [
            ("GET", "/sessions/a"),
            ("HEAD", "/sessions/a"),
            ("GET", "/sessions/a/stream?last_event_id=1"),
            ("HEAD", "/sessions/a/stream"),
            ("GET", "/sessions/a/context"),
            ("HEAD", "/sessions/a/files?query=x"),
            ("POST", "/sessions/a/input"),
            ("POST", "/sessions/a/tickets"),
        ] {
            assert_eq!(id(method, path).as_deref(), Some("a"), "{method} {path}");
        }
        for (method, path) in [
            ("DELETE", "/sessions/a"),
            ("OPTIONS", "/sessions/a"),
            ("POST", "/sessions/a/stream"),
            ("GET", "/sessions/a/input"),
            ("GET", "/sessions/a/tickets"),
            ("GET", "/sessions"),
            ("GET", "/sessions/a/other"),
        ] {
            assert_eq!(id(method, path), None, "{method} {path}");
        }
    }

    /// The path in the description of the API, and an example of each route.
    fn described() -> Vec<(&'static str, Route<'static>)> {
        let path = |route: Route<'_>| match route {
            Route::Sessions => "/sessions",
            Route::Session(_) => "/sessions/{id}",
            Route::Stream(_) => "/sessions/{id}/stream",
            Route::Input(_) => "/sessions/{id}/input",
            Route::Tickets(_) => "/sessions/{id}/tickets",
            Route::Look(_, Look::Commands) => "/sessions/{id}/commands",
            Route::Look(_, Look::Models) => "/sessions/{id}/models",
            Route::Look(_, Look::Context) => "/sessions/{id}/context",
            Route::Look(_, Look::Mcp) => "/sessions/{id}/mcp",
            Route::Files(_) => "/sessions/{id}/files",
        };
        let routes = ["", "/a", "/a/stream", "/a/input", "/a/tickets", "/a/files"]
            .map(|below| Route::parse(format!("/sessions{below}").leak()).unwrap());
        let looks = Look::ALL.map(|look| Route::Look("a", look));
        routes.into_iter().chain(looks).map(|route| (path(route), route)).collect()
    }

    #[test]
    fn every_route_is_described_with_its_methods() {
        let api: serde_json::Value = serde_json::from_str(crate::service::OPENAPI).unwrap();
        let mut described: Vec<_> = api["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        // These are routes of the stack.
        described.retain(|path| path.starts_with("/sessions"));
        let mut routes: Vec<_> = self::described().into_iter().map(|(path, _)| path).collect();
        routes.sort_unstable();
        described.sort_unstable();
        assert_eq!(described, routes);
        for (path, route) in self::described() {
            for method in ["get", "post", "delete"] {
                let is_described = api["paths"][path].get(method).is_some();
                assert_eq!(is_described, route.allow().contains(&method.to_uppercase()), "{method} {path}");
            }
        }
    }

    #[test]
    fn paths() {
        let table = [
            ("/sessions", Some(Route::Sessions)),
            ("/sessions/a", Some(Route::Session("a"))),
            ("/sessions/a/stream", Some(Route::Stream("a"))),
            ("/sessions/a/input", Some(Route::Input("a"))),
            ("/sessions/a/tickets", Some(Route::Tickets("a"))),
            ("/sessions/a/files", Some(Route::Files("a"))),
            ("/sessions/a/commands", Some(Route::Look("a", Look::Commands))),
            ("/sessions/a/models", Some(Route::Look("a", Look::Models))),
            ("/sessions/a/context", Some(Route::Look("a", Look::Context))),
            ("/sessions/a/mcp", Some(Route::Look("a", Look::Mcp))),
            ("/sessions/a/mcp/b", None),
            ("/sessions/", None),
            ("/sessions/a/", None),
            ("/sessions//stream", None),
            ("/sessions/a/stream/", None),
            ("/sessions/a/input/b", None),
            ("/sessions/a/other", None),
            ("//sessions", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("sessions", None),
        ];
        for (path, route) in table {
            assert_eq!(Route::parse(path), route, "{path}");
        }
    }
}
