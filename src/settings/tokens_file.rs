//! A file of named tokens that can be reloaded while the server runs.

use std::path::Path;

use super::{SettingsError, reloaded::ReloadedFile};
use crate::{
    layers::auth::{Principal, Scopes, StaticTokens},
    service::{APPROVE, DRIVE, READ},
};

/// Opens a file with a token on each line: `name:token` or `name:token:scopes`, and returns its tokens, which change
/// with each reload.
///
/// The scopes are some of `read`, `drive`, `approve` and `profile:NAME`, separated by commas. A token without scopes
/// allows everything. Empty lines and lines that begin with `#` are skipped. A name may have several tokens.
///
/// # Errors
/// The file cannot be read, or a line is malformed. The error names the line and does not repeat its content.
pub(super) fn open(path: &Path) -> Result<(StaticTokens, ReloadedFile), SettingsError> {
    let tokens = StaticTokens::default();
    let served = tokens.clone();
    let file = ReloadedFile::open("tokens", path, parse, move |new| served.replace(&new))?;
    Ok((tokens, file))
}

fn parse(text: &str) -> Result<StaticTokens, String> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).try_fold(
        StaticTokens::default(),
        |tokens, (number, line)| {
            let (principal, token) = entry(line).map_err(|what| format!("line {number}: {what}"))?;
            tokens.with_principal(principal, token).map_err(|error| format!("line {number}: {error}"))
        },
    )
}

fn entry(line: &str) -> Result<(Principal, &str), String> {
    let mut fields = line.splitn(3, ':').map(str::trim);
    let (name, token) = match (fields.next(), fields.next()) {
        (Some(name), Some(token)) if !name.is_empty() => (name, token),
        _ => return Err("expected name:token or name:token:scopes".to_owned()),
    };
    let principal = match fields.next() {
        None => Principal::new(name),
        Some(listed) => Principal::new(name).with_scopes(scopes(listed)?),
    };
    Ok((principal, token))
}

/// Parses scopes. A misspelt scope is an error, because the token would silently allow less than intended.
fn scopes(listed: &str) -> Result<Scopes, String> {
    let known = [READ, DRIVE, APPROVE];
    let names: Vec<&str> = listed.split(',').map(str::trim).collect();
    let is_profile = |name: &str| name.strip_prefix("profile:").is_some_and(|profile| !profile.is_empty());
    if names.iter().all(|name| known.contains(name) || is_profile(name)) {
        Ok(Scopes::of(names))
    } else {
        Err(format!("scopes must be some of {} and profile:NAME, separated by commas", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::layers::auth::Verify;

    fn bearer(tokens: &StaticTokens, token: &str) -> Option<Principal> {
        let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
        tokens.verify(&request.into_parts().0).into_inner().ok()
    }

    #[test]
    fn a_line_is_a_name_a_token_and_perhaps_scopes() {
        let text = "# who\n\nada:one\n ada : two : read,approve \r\nci:t=o/k+e.n~_-:drive,profile:review\n";
        let tokens = parse(text).unwrap();
        assert_eq!(bearer(&tokens, "one"), Some(Principal::new("ada")));
        let limited = Principal::new("ada").with_scopes(Scopes::of([READ, APPROVE]));
        assert_eq!(bearer(&tokens, "two"), Some(limited));
        let robot = Principal::new("ci").with_scopes(Scopes::of([DRIVE, "profile:review"]));
        assert_eq!(bearer(&tokens, "t=o/k+e.n~_-"), Some(robot));
        assert_eq!(bearer(&tokens, "ada"), None);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_is_wrong_is_named_without_its_token() {
        for wrong in [
            "s3cret",
            ":s3cret",
            "ada:",
            "ada:s3cret:",
            "ada:s3cret:reed",
            "ada:s3cret:read:x",
            "ada:s3cret:profile:",
            "ada:s3 cret",
        ] {
            let error = parse(&format!("bob:fine\n{wrong}\n")).map(drop).unwrap_err();
            assert!(error.starts_with("line 2: "), "{error}");
            assert!(!error.contains("s3"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_reload_changes_who_is_let_in_or_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "ada:old").unwrap();
        let (serving, opened) = open(file.path()).unwrap();
        std::fs::write(file.path(), "ada:new\nbroken").unwrap();
        assert!(opened.reload().await.is_err());
        assert!(bearer(&serving, "old").is_some() && bearer(&serving, "new").is_none());
        std::fs::write(file.path(), "ada:new").unwrap();
        opened.reload().await.unwrap();
        assert!(bearer(&serving, "old").is_none() && bearer(&serving, "new").is_some());
        assert!(!format!("{opened:?}").contains("new"));
    }
}
