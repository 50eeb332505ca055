//! Which push services the server sends to. The address of a device is chosen by a client, so anything else is refused.

use std::fmt;

use http::{Uri, uri::Scheme};

/// Longest address of a device, in bytes.
const LONGEST: usize = 2048;

/// The hosts of the push services of browsers: Chrome and its relatives, Firefox, Edge on Windows, Safari.
const HOSTS: [&str; 3] = ["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"];

/// The ends of the names of further hosts of theirs.
const DOMAINS: [&str; 3] = [".push.services.mozilla.com", ".notify.windows.com", ".push.apple.com"];

/// The push services that the server sends to: those of the common browsers, over HTTPS on port 443, and those that the
/// operator has added.
///
/// ```
/// use agent_webkit::push::PushServices;
///
/// let services = PushServices::default().with("https://push.example.com:8443")?;
/// assert!(services.allow("https://fcm.googleapis.com/fcm/send/abc"));
/// assert!(services.allow("https://push.example.com:8443/abc"));
/// assert!(!services.allow("https://push.example.com/abc"));
/// assert!(!services.allow("https://127.0.0.1/abc"));
/// # Ok::<(), agent_webkit::push::InvalidService>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushServices {
    /// Scheme, host and port.
    added: Vec<Origin>,
}

/// A text that names no push service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a push service is https:// or http://, a host and perhaps a port, such as https://push.example.com")]
pub struct InvalidService;

/// An address that is no device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPushService;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl PushServices {
    /// Adds a push service: an origin, at which every path is a device's. `http` is for networks that are trusted.
    ///
    /// # Errors
    /// It is not an `http` or `https` URL of a host, or has a user, a path or a query.
    pub fn with(mut self, origin: &str) -> Result<Self, InvalidService> {
        let (origin, uri) = Origin::of(origin).ok_or(InvalidService)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(InvalidService);
        }
        self.added.push(origin);
        Ok(self)
    }

    /// Whether this may be the address of a device.
    #[must_use]
    pub fn allow(&self, endpoint: &str) -> bool {
        self.check(endpoint).is_ok()
    }

    /// The push service and the address of a device, if it is at one of these.
    pub(super) fn check(&self, endpoint: &str) -> Result<(Origin, Uri), NoPushService> {
        if endpoint.len() > LONGEST || endpoint.contains('#') {
            return Err(NoPushService);
        }
        let (origin, uri) = Origin::of(endpoint).ok_or(NoPushService)?;
        let is_known = origin.is_of_a_browser() || self.added.contains(&origin);
        if is_known { Ok((origin, uri)) } else { Err(NoPushService) }
    }
}

impl Origin {
    fn of(url: &str) -> Option<(Self, Uri)> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?.clone();
        let authority = uri.authority()?;
        // A port that is empty or no number is no port of `authority`, but stands in its text.
        let (host, port) = (authority.host(), authority.port_u16());
        let plain = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if plain != authority.as_str() || host.is_empty() {
            return None;
        }
        let port = port.unwrap_or_else(|| default_port(&scheme));
        Some((Self { scheme, host: host.to_ascii_lowercase(), port }, uri))
    }

    fn is_of_a_browser(&self) -> bool {
        let Self { scheme, host, port } = self;
        let is_named = HOSTS.contains(&&**host);
        let is_below = DOMAINS.iter().any(|domain| host.len() > domain.len() && host.ends_with(domain));
        *scheme == Scheme::HTTPS && *port == 443 && (is_named || is_below)
    }
}

fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{scheme}://{host}")?;
        if *port == default_port(scheme) { Ok(()) } else { write!(f, ":{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_push_services_of_browsers_are_known() {
        for right in [
            "https://fcm.googleapis.com/fcm/send/abc:APA91b",
            "https://fcm.googleapis.com:443/fcm/send/abc",
            "https://FCM.googleapis.com/fcm/send/abc",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
            "https://eu.push.services.mozilla.com/wpush/v2/gAAA",
            "https://wns2-am3p.notify.windows.com/w/?token=BQYAAA%2b",
            "https://web.push.apple.com/QGuQ",
            "https://api.push.apple.com/QGuQ",
        ] {
            assert!(PushServices::default().allow(right), "{right}");
        }
    }

    #[test]
    fn nothing_else_is_sent_to() {
        for wrong in [
            "",
            "/fcm/send/abc",
            "fcm.googleapis.com",
            "http://fcm.googleapis.com/fcm/send/abc",
            "ftp://fcm.googleapis.com/a",
            "https://fcm.googleapis.com:80/a",
            "https://fcm.googleapis.com:8443/a",
            "https://fcm.googleapis.com:/a",
            "https://fcm.googleapis.com:0443/a",
            "https://user@fcm.googleapis.com/a",
            "https://user:password@fcm.googleapis.com/a",
            "https://fcm.googleapis.com@evil.test/a",
            "https://fcm.googleapis.com./a",
            "https://fcm.googleapis.com#@evil.test/a",
            "https://fcm.googleapis.com\\@evil.test/a",
            "https://evilfcm.googleapis.com.evil.test/a",
            "https://evilfcm.googleapis.com/a",
            "https://fcm.googleapis.com.evil.test/a",
            "https://evil.test/fcm.googleapis.com",
            "https://evil.test/?fcm.googleapis.com",
            "https://evilpush.apple.com/a",
            "https://push.apple.com/a",
            "https://.push.apple.com.evil.test/a",
            "https://notify.windows.com.evil.test/a",
            "https://xnotify.windows.com/a",
            "https://127.0.0.1/a",
            "https://[::1]/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://localhost/a",
            "https://169.254.169.254/latest/meta-data/",
            "https://fcm.googleapis.com/a\nhost: evil.test",
            "https://ｆcm.googleapis.com/a",
            &format!("https://fcm.googleapis.com/{}", "a".repeat(LONGEST)),
        ] {
            assert!(!PushServices::default().allow(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_operator_adds_origins_and_nothing_beside_them() {
        let services = PushServices::default().with("http://127.0.0.1:9000").unwrap();
        let services = services.with("https://push.example.com/").unwrap();
        for right in
            ["http://127.0.0.1:9000/a", "https://push.example.com/a?b", "https://push.example.com:443/a"]
        {
            assert!(services.allow(right), "{right}");
        }
        for wrong in [
            "http://127.0.0.1:9001/a",
            "http://127.0.0.1/a",
            "https://127.0.0.1:9000/a",
            "http://localhost:9000/a",
            "http://user@127.0.0.1:9000/a",
            "http://push.example.com/a",
            "https://x.push.example.com/a",
        ] {
            assert!(!services.allow(wrong), "{wrong}");
        }
        for wrong in
            ["push.example.com", "https://a@b.example", "https://b.example/path", "https://b.example?x", ""]
        {
            assert_eq!(PushServices::default().with(wrong), Err(InvalidService), "{wrong}");
        }
    }
}
