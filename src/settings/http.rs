//! Settings for browsers, slow clients and metrics.

use std::time::Duration;

use clap::{ArgAction, builder::FalseyValueParser};
use http::{HeaderValue, Uri};

use super::units;
use crate::stack::cors_for;

/// The names of loopback in an origin.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Settings of the HTTP server that are not part of the protocol.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Origin whose pages may use the server from a browser, as `https://app.example.com`; repeat it for more. The names
    /// of loopback (localhost, 127.0.0.1, ::1) count as one. Default: none.
    #[arg(long = "cors-origin", value_name = "ORIGIN", env = "AGENT_WEBKIT_CORS_ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<HeaderValue>,

    /// Maximum time to receive a request body.
    #[arg(long, value_name = "TIME", env = "AGENT_WEBKIT_BODY_TIMEOUT", default_value = "60s", value_parser = units::duration)]
    pub body_timeout: Duration,

    /// Access to /metrics, in Prometheus' format: with a valid credential (token), without one (public), or none (off).
    #[arg(long, value_name = "WHO", env = "AGENT_WEBKIT_METRICS", default_value = "token")]
    pub metrics: MetricsAccess,

    /// Do not serve the console, the page that browsers get at /.
    #[arg(long, env = "AGENT_WEBKIT_NO_CONSOLE", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_console: bool,
}

/// Access to `/metrics` of the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum MetricsAccess {
    /// No access; nothing is counted.
    Off,
    /// With a valid credential.
    Token,
    /// Without a credential.
    Public,
}

impl HttpSettings {
    /// The origins whose pages may use the server. One on loopback is there under each of its names, because a browser
    /// takes these for different origins.
    #[must_use]
    pub fn origins(&self) -> Vec<HeaderValue> {
        self.cors_origins.iter().flat_map(under_all_names).collect()
    }

    /// The CORS layer for the configured origins.
    pub(super) fn cors(&self) -> Option<tower_http::cors::CorsLayer> {
        (!self.cors_origins.is_empty()).then(|| cors_for(self.origins()))
    }
}

fn under_all_names(origin: &HeaderValue) -> Vec<HeaderValue> {
    let text = origin.to_str().unwrap_or_default();
    let (scheme, authority) = text.split_once("://").unwrap_or_default();
    let is_loopback = |name: &&&str| {
        authority.strip_prefix(**name).is_some_and(|port| port.is_empty() || port.starts_with(':'))
    };
    let Some(name) = LOOPBACK.iter().find(is_loopback) else { return vec![origin.clone()] };
    let port = &authority[name.len()..];
    LOOPBACK.iter().filter_map(|name| format!("{scheme}://{name}{port}").parse().ok()).collect()
}

/// Parses an origin as a browser sends it: scheme, host, and the port unless it is the scheme's default.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri: Uri = text.parse().map_err(|_| "an origin looks like https://app.example.com")?;
    let same = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) => {
            let default = if scheme == "http" { 80 } else { 443 };
            uri.port_u16() != Some(default) && format!("{scheme}://{authority}").eq_ignore_ascii_case(text)
        }
        _ => false,
    };
    if !same || text.contains('@') {
        return Err(
            "an origin is http:// or https://, a host, and a port if it is not the usual one".to_owned()
        );
    }
    HeaderValue::from_str(&text.to_ascii_lowercase()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_one_origin_under_all_its_names() {
        let names = |origin: &'static str| under_all_names(&HeaderValue::from_static(origin));
        assert_eq!(
            names("http://127.0.0.1:3000"),
            ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"]
        );
        assert_eq!(names("https://localhost"), ["https://localhost", "https://127.0.0.1", "https://[::1]"]);
        for other in ["https://localhost.example", "http://127.0.0.12:1", "https://app.example.com"] {
            assert_eq!(names(other), [other]);
        }
    }

    #[test]
    fn origins_are_as_a_browser_sends_them() {
        for right in ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"] {
            assert_eq!(origin(right).unwrap(), right);
        }
        assert_eq!(origin("https://app.Example.com").unwrap(), "https://app.example.com");
        for wrong in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://app.example.com:443",
            "http://a:80",
            "ftp://a",
            "https://u@a",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
