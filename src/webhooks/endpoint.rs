//! Where webhooks go: the endpoints of the server and of owners.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, RwLock},
};

use http::Uri;
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// The name of the server's endpoint in records, and the start of the name of an owner's.
const SERVER: &str = "server";
const OWNER: &str = "owner:";

/// The kinds of events that an endpoint gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventKind {
    /// `permission_request`, `ask_user_question`, `hook_decision_request` and `elicitation_request`.
    Prompts,
    /// `result`: a turn has ended.
    Results,
    /// `error`.
    Errors,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Prompts, Self::Results, Self::Errors];

    /// The kind of the event with this name; `None` if it is never sent.
    pub(crate) fn of(event: &str) -> Option<Self> {
        match event {
            "permission_request" | "ask_user_question" | "hook_decision_request" | "elicitation_request" => {
                Some(Self::Prompts)
            }
            "result" => Some(Self::Results),
            "error" => Some(Self::Errors),
            _ => None,
        }
    }
}

/// A receiver of webhooks: a URL, the secret shared with it, and the kinds of events that it gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) url: Uri,
    pub(super) secret: Secret,
    kinds: BTreeSet<EventKind>,
}

/// A URL to which webhooks cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook URL is http:// or https:// and a host, without a user")]
pub struct InvalidUrl;

impl Endpoint {
    /// An endpoint that gets all events.
    ///
    /// # Errors
    /// The URL is not an absolute `http` or `https` URL, or has a user in it.
    pub fn new(url: &str, secret: Secret) -> Result<Self, InvalidUrl> {
        let url: Uri = url.parse().map_err(|_| InvalidUrl)?;
        let authority = url.authority().ok_or(InvalidUrl)?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || authority.as_str().contains('@') {
            return Err(InvalidUrl);
        }
        Ok(Self { url, secret, kinds: BTreeSet::from(EventKind::ALL) })
    }

    /// Sets the kinds of events that it gets.
    #[must_use]
    pub fn events(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    pub(super) fn gets(&self, kind: EventKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// The URL may hold a secret in its path.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// The endpoints of owners, by the owner's name. Clones share them, so that they can be replaced while a server runs.
///
/// ```
/// use agent_webkit::webhooks::Owners;
///
/// let text = r#"
/// [ada]
/// url = "https://hooks.example.com/ada"
/// secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
/// events = ["prompts", "errors"]
/// "#;
/// let owners = Owners::default();
/// owners.replace(Owners::from_toml(text)?);
/// assert!(Owners::from_toml("[ada]\nurl = 3").unwrap_err().starts_with("line 2: "));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Owners(Arc<RwLock<HashMap<String, Endpoint>>>);

/// An owner's table in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: toml::Spanned<String>,
    secret: toml::Spanned<String>,
    #[serde(default = "all")]
    events: Vec<EventKind>,
}

fn all() -> Vec<EventKind> {
    EventKind::ALL.into()
}

impl Owners {
    /// Adds an owner's endpoint, in the place of the one before.
    #[must_use]
    pub fn with(self, owner: impl Into<String>, endpoint: Endpoint) -> Self {
        self.write().insert(owner.into(), endpoint);
        self
    }

    /// Reads the endpoints from TOML: a table for each owner, with `url`, `secret` and perhaps `events`, which is a list of
    /// `prompts`, `results` and `errors`.
    ///
    /// # Errors
    /// The text is malformed. The error names the line and does not repeat a URL or a secret.
    pub fn from_toml(text: &str) -> Result<HashMap<String, Endpoint>, String> {
        let line = |start: usize| 1 + text[..start].matches('\n').count();
        let tables: HashMap<String, Table> = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", line(start), error.message().replace('\n', ", "))
        })?;
        let endpoint = |Table { url, secret, events }: Table| {
            let at = |start, error: &dyn fmt::Display| format!("line {}: {error}", line(start));
            let secret_start = secret.span().start;
            let secret = secret.get_ref().parse().map_err(|error| at(secret_start, &error))?;
            let endpoint = Endpoint::new(url.get_ref(), secret);
            Ok::<_, String>(endpoint.map_err(|error| at(url.span().start, &error))?.events(events))
        };
        tables.into_iter().map(|(owner, table)| Ok((owner, endpoint(table)?))).collect()
    }

    /// Replaces all endpoints.
    pub fn replace(&self, endpoints: HashMap<String, Endpoint>) {
        *self.write() = endpoints;
    }

    fn get(&self, owner: &str) -> Option<Endpoint> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(owner).cloned()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<String, Endpoint>> {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// All endpoints of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    pub(super) server: Option<Endpoint>,
    pub(super) owners: Owners,
}

impl Endpoints {
    /// The endpoints that get an event of this kind of an owner's session, by their names.
    pub(super) fn of(&self, owner: Option<&str>, kind: EventKind) -> Vec<(String, Endpoint)> {
        let of_server = self.server.clone().map(|endpoint| (SERVER.to_owned(), endpoint));
        let of_owner = owner.and_then(|owner| Some((format!("{OWNER}{owner}"), self.owners.get(owner)?)));
        of_server.into_iter().chain(of_owner).filter(|(_, endpoint)| endpoint.gets(kind)).collect()
    }

    /// The endpoint of this name, as it is now.
    pub(super) fn get(&self, name: &str) -> Option<Endpoint> {
        match name.strip_prefix(OWNER) {
            Some(owner) => self.owners.get(owner),
            None => self.server.clone().filter(|_| name == SERVER),
        }
    }

    /// Whether an endpoint can have this name.
    pub(super) fn is_name(name: &str) -> bool {
        name == SERVER || name.starts_with(OWNER)
    }

    /// Whether the endpoint of this name gets the events of this owner's sessions.
    pub(super) fn is_for(name: &str, owner: Option<&str>) -> bool {
        name == SERVER || name.strip_prefix(OWNER).is_some_and(|of| owner == Some(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()
    }

    #[test]
    fn an_owners_endpoint_gets_the_owners_events_of_its_kinds() {
        let endpoint = |url| Endpoint::new(url, secret()).unwrap();
        let of_ada = endpoint("https://a.example/ada").events([EventKind::Prompts]);
        let owners = Owners::default().with("ada", of_ada).with("server", endpoint("http://b.example"));
        let endpoints = Endpoints { server: Some(endpoint("https://s.example/")), owners };
        let names = |owner, kind| -> Vec<String> {
            endpoints.of(owner, kind).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(Some("ada"), EventKind::Prompts), ["server", "owner:ada"]);
        assert_eq!(names(Some("ada"), EventKind::Results), ["server"]);
        assert_eq!(names(Some("bob"), EventKind::Prompts), ["server"]);
        assert_eq!(names(None, EventKind::Errors), ["server"]);
        assert_eq!(names(Some("server"), EventKind::Errors), ["server", "owner:server"]);
        assert_eq!(endpoints.get("owner:ada").unwrap().url, "https://a.example/ada");
        assert!(endpoints.get("owner:bob").is_none() && endpoints.get("ada").is_none());
        assert!(Endpoints::is_for("owner:ada", Some("ada")) && !Endpoints::is_for("owner:ada", Some("bob")));
        assert!(!Endpoints::is_for("owner:ada", None) && Endpoints::is_for("server", None));
    }

    #[test]
    fn a_file_that_is_wrong_is_an_error_with_its_line_and_no_secret() {
        let key = "secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
        for (text, line) in [
            (format!("[ada]\nurl = \"ftp://h\"\n{key}"), "line 2: a webhook URL"),
            (format!("[ada]\nurl = \"https://s3cret@h\"\n{key}"), "line 2: a webhook URL"),
            ("[ada]\nurl = \"https://h\"\nsecret = \"s3cret\"".to_owned(), "line 3: a webhook secret"),
            (format!("[ada]\nurl = \"https://h\"\n{key}\nevents = [\"all\"]"), "line 4: unknown variant"),
            (format!("[ada]\nurl = \"https://h\"\n{key}\nwho = 1"), "line 4: unknown field"),
            ("[ada]\nurl = \"https://h\"".to_owned(), "line 1: missing field"),
        ] {
            let error = Owners::from_toml(&text).unwrap_err();
            assert!(error.starts_with(line) && !error.contains("s3cret"), "{error}");
        }
        let read =
            Owners::from_toml(&format!("[ada]\nurl = \"https://h\"\n{key}\nevents = [\"results\"]")).unwrap();
        assert!(read["ada"].gets(EventKind::Results) && !read["ada"].gets(EventKind::Prompts));
    }
}
