//! The allowed names, and the check of a request against them.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderValue, Request, header, uri::Authority};

/// The names that a request may have besides loopback addresses; `None` allows every name.
#[derive(Clone, Debug)]
pub(super) struct Names(Option<Arc<[String]>>);

impl Names {
    pub(super) fn loopback() -> Self {
        Self(Some(Arc::new(["localhost".to_owned()])))
    }

    pub(super) const fn any() -> Self {
        Self(None)
    }

    pub(super) fn with(self, name: String) -> Self {
        Self(self.0.map(|names| names.iter().cloned().chain([name]).collect()))
    }

    /// Whether the request has at least one name, and only allowed names.
    pub(super) fn allows<B>(&self, request: &Request<B>) -> bool {
        let Some(names) = &self.0 else { return true };
        let allows_name = |authority: &Authority| {
            !authority.as_str().contains('@') && is_loopback_or_among(names, authority.host())
        };
        let mut named = false;
        let target = request.uri().authority().map(allows_name);
        let allows_header =
            |value: &HeaderValue| Authority::try_from(value.as_bytes()).is_ok_and(|name| allows_name(&name));
        let headers = request.headers().get_all(header::HOST).iter().map(allows_header);
        target.into_iter().chain(headers).inspect(|_| named = true).all(|allowed| allowed) && named
    }
}

fn is_loopback_or_among(names: &[String], host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        Names::loopback().with("agents.example.com".to_owned()).allows(&request.body(()).unwrap())
    }

    #[test]
    fn loopback_names_and_allowed_ones_pass_whatever_the_port() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8000",
            "127.8.8.8",
            "[::1]:8000",
            "agents.example.com:443",
        ] {
            assert!(allows("/", &[host]), "{host}");
            assert!(allows(&format!("http://{host}/"), &[]), "{host} as the target of HTTP/2");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example",
            "agents.example.com.attacker.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "user@localhost",
            "",
            "not a host",
        ] {
            assert!(!allows("/", &[host]), "{host}");
        }
    }

    #[test]
    fn every_name_that_is_given_must_be_allowed_and_one_must_be() {
        assert!(!allows("/", &[]));
        assert!(!allows("http://attacker.example/", &["localhost"]));
        assert!(!allows("http://localhost/", &["attacker.example"]));
        assert!(!allows("/", &["localhost", "attacker.example"]));
        assert!(allows("http://localhost/", &["127.0.0.1"]));
    }
}
