use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::auth::{Principal, Scopes};

/// The claims from which a principal is made.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) name_claim: String,
    pub(super) name_prefix: String,
    pub(super) scope_claims: Vec<String>,
    pub(super) leeway: Duration,
}

pub(super) type Claims = Map<String, Value>;

impl Reading {
    /// The principal of a token whose signature, times, issuer and audience are valid.
    pub(super) fn principal(&self, claims: &Claims) -> Option<Principal> {
        let name = claims.get(&self.name_claim)?.as_str().filter(|name| !name.is_empty())?;
        let principal = Principal::new(format!("{}{name}", self.name_prefix));
        Some(principal.with_scopes(self.scopes(claims)?).expiring_at(end(claims, self.leeway)?))
    }

    /// The scopes from the first scope claim that the token has. `None` if its type is not supported, so that such a
    /// token is refused.
    fn scopes(&self, claims: &Claims) -> Option<Scopes> {
        match self.scope_claims.iter().find_map(|claim| claims.get(claim)) {
            None => Some(Scopes::all()),
            Some(Value::String(text)) => Some(Scopes::parse(text)),
            Some(Value::Array(list)) => {
                list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(Scopes::of)
            }
            Some(_) => None,
        }
    }
}

/// When a token expires.
pub(super) fn end(claims: &Claims, leeway: Duration) -> Option<SystemTime> {
    let seconds = Duration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(leeway)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value) -> Option<Principal> {
        let reading = Reading {
            name_claim: "sub".to_owned(),
            name_prefix: "id:".to_owned(),
            scope_claims: vec!["scope".to_owned(), "scp".to_owned()],
            leeway: Duration::from_secs(5),
        };
        reading.principal(claims.as_object().unwrap())
    }

    #[test]
    fn the_bearer_has_a_name_and_an_end() {
        let ada = read(&json!({"sub": "ada", "exp": 100})).unwrap();
        assert_eq!(&*ada.name, "id:ada");
        assert_eq!(ada.scopes, Scopes::all());
        assert_eq!(ada.expires_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(105)));
        for nobody in [
            json!({"exp": 100}),
            json!({"sub": "", "exp": 100}),
            json!({"sub": 7, "exp": 100}),
            json!({"sub": "ada"}),
            json!({"sub": "ada", "exp": "100"}),
            json!({"sub": "ada", "exp": 1e300}),
        ] {
            assert_eq!(read(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn scopes_come_as_a_text_or_a_list_and_nothing_else_is_read_as_all() {
        let scopes = |value: Value| {
            read(&json!({"sub": "ada", "exp": 1, "scope": value})).map(|principal| principal.scopes)
        };
        assert_eq!(scopes(json!("read drive")), Some(Scopes::of(["read", "drive"])));
        assert_eq!(scopes(json!(["read"])), Some(Scopes::of(["read"])));
        for empty in [json!(""), json!([])] {
            assert_eq!(scopes(empty), Some(Scopes::none()));
        }
        for wrong in [json!(null), json!(true), json!({"read": true}), json!(["read", 7])] {
            assert_eq!(scopes(wrong.clone()), None, "{wrong}");
        }
        let second = read(&json!({"sub": "ada", "exp": 1, "scp": ["read"]})).unwrap();
        assert_eq!(second.scopes, Scopes::of(["read"]));
    }
}
