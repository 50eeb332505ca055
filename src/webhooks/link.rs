//! Links with which one permission request can be answered without a session in the browser.
//!
//! A link is signed, not stored: it holds on every host that has the secret of its endpoint, and over restarts. It is
//! good for one answer, because a prompt ends once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{
    endpoint::{Endpoint, Endpoints},
    secret,
};

/// The first part of the path of a link.
pub(super) const PATH: &str = "/approve/";

/// Longest token that is looked at. Our own have some hundred bytes.
const LONGEST: usize = 4096;

/// Makes and checks links.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) endpoints: Endpoints,
    /// Where browsers reach the stack, without a slash at its end. Without it no links are made.
    pub(super) public_url: Option<String>,
    pub(super) lifetime: Duration,
}

/// The prompt that a link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// The name of the endpoint whose secret has signed it.
    endpoint: String,
    pub(super) owner: Option<String>,
    pub(super) session_id: String,
    pub(super) correlation_id: String,
    /// In seconds since the Unix epoch.
    pub(super) expires_at: u64,
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was altered, is not complete, or its endpoint has another secret by now.
    Invalid,
    Expired,
}

impl Links {
    /// The URL that answers this prompt, and when it expires; `None` without a public URL.
    pub(super) fn make(
        &self,
        (name, endpoint): (&str, &Endpoint),
        owner: Option<&str>,
        session_id: &str,
        correlation_id: &str,
    ) -> Option<(String, u64)> {
        let public_url = self.public_url.as_deref()?;
        let expires_at = (now() + self.lifetime).as_secs();
        let link = Link {
            endpoint: name.to_owned(),
            owner: owner.map(str::to_owned),
            session_id: session_id.to_owned(),
            correlation_id: correlation_id.to_owned(),
            expires_at,
        };
        let content = serde_json::to_vec(&link).expect("made of strings");
        Some((format!("{public_url}{PATH}{}", endpoint.secret.seal(&content)), expires_at))
    }

    pub(super) fn read(&self, token: &str) -> Result<Link, Refused> {
        let (content, signature) = Some(token)
            .filter(|token| token.len() <= LONGEST)
            .and_then(secret::open)
            .ok_or(Refused::Invalid)?;
        let link: Link = serde_json::from_slice(&content).map_err(|_| Refused::Invalid)?;
        let endpoint = self.endpoints.get(&link.endpoint).ok_or(Refused::Invalid)?;
        // An owner knows the secret of their own endpoint, and may sign what they like with it.
        let is_theirs = Endpoints::is_for(&link.endpoint, link.owner.as_deref());
        if !endpoint.secret.has_sealed(&content, &signature) || !is_theirs {
            return Err(Refused::Invalid);
        }
        if link.expires_at <= now().as_secs() {
            return Err(Refused::Expired);
        }
        Ok(link)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::*;
    use crate::webhooks::Owners;

    fn endpoint(key: &str) -> Endpoint {
        let secret = format!("whsec_{}", base64::prelude::BASE64_STANDARD.encode(key.repeat(32)));
        Endpoint::new("https://h.example", secret.parse().unwrap()).unwrap()
    }

    fn links(lifetime: Duration) -> Links {
        let owners = Owners::default().with("ada", endpoint("a")).with("bob", endpoint("b"));
        let endpoints = Endpoints { server: Some(endpoint("s")), owners };
        Links { endpoints, public_url: Some("https://agents.example/x".into()), lifetime }
    }

    fn token(links: &Links, name: &str, owner: Option<&str>) -> String {
        let endpoint = links.endpoints.get(name).unwrap();
        let (url, _) = links.make((name, &endpoint), owner, "session", "toolu_1").unwrap();
        url.strip_prefix("https://agents.example/x/approve/").unwrap().to_owned()
    }

    #[test]
    fn a_link_is_its_prompts_and_altered_it_is_none() {
        let links = links(Duration::from_secs(60));
        for (name, owner) in [("owner:ada", Some("ada")), ("server", Some("ada")), ("server", None)] {
            let token = token(&links, name, owner);
            let link = links.read(&token).unwrap();
            assert_eq!((link.owner.as_deref(), &*link.correlation_id), (owner, "toolu_1"));
            for at in 0..token.len() {
                let mut altered = token.clone().into_bytes();
                altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
                // The last character of a part may hold bits that are not decoded, which the decoder refuses.
                assert_eq!(links.read(std::str::from_utf8(&altered).unwrap()), Err(Refused::Invalid), "{at}");
            }
        }
        assert_eq!(links.read(&"a".repeat(10_000)), Err(Refused::Invalid));
    }

    #[test]
    fn an_owner_signs_for_nobody_else() {
        let links = links(Duration::from_secs(60));
        assert_eq!(links.read(&token(&links, "owner:ada", Some("bob"))), Err(Refused::Invalid));
        assert_eq!(links.read(&token(&links, "owner:ada", None)), Err(Refused::Invalid));
        let forged = Link {
            endpoint: "server".into(),
            owner: Some("bob".into()),
            session_id: "session".into(),
            correlation_id: "toolu_1".into(),
            expires_at: u64::MAX,
        };
        let forged =
            links.endpoints.get("owner:ada").unwrap().secret.seal(&serde_json::to_vec(&forged).unwrap());
        assert_eq!(links.read(&forged), Err(Refused::Invalid));
    }

    #[test]
    fn it_expires_and_ends_with_its_secret() {
        let links = links(Duration::ZERO);
        let expired = token(&links, "server", None);
        assert_eq!(links.read(&expired), Err(Refused::Expired));
        let (content, _) = expired.split_once('.').unwrap();
        let later = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(content).unwrap()).unwrap();
        assert!(later.contains("\"expires_at\":"));

        let links = Links { lifetime: Duration::from_secs(60), ..links };
        let token = token(&links, "owner:ada", Some("ada"));
        links.endpoints.owners.replace([("ada".to_owned(), endpoint("o"))].into());
        assert_eq!(links.read(&token), Err(Refused::Invalid));
        links.endpoints.owners.replace([].into());
        assert_eq!(links.read(&token), Err(Refused::Invalid));
    }
}
