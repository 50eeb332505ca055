//! The location of the database, as an operator writes it.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where sessions are stored: `memory`, `sqlite:PATH` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// In this process; a restart loses them.
    Memory,
    /// In a SQLite file on this host.
    Sqlite(PathBuf),
    /// On a Postgres server, at this URL.
    Postgres(String),
}

/// The text is not a [`Location`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store is memory, sqlite:PATH or postgres://USER@HOST/DATABASE")]
pub struct InvalidLocation;

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Self::Postgres(text.to_owned()))
            }
            _ => Err(InvalidLocation),
        }
    }
}

/// Omits the password that a URL may hold.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => write!(f, "postgres://{}", place(url).unwrap_or("..")),
        }
    }
}

/// The host, port and database of a URL; `None` if they could include a part of a password.
fn place(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("//")?;
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map_or("", |(_, port)| port);
    if behind.contains('@') || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let path = behind.find(['?', '#']).unwrap_or(behind.len());
    let start = rest.len() - behind.len() - host.len();
    Some(&rest[start..start + host.len() + path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_places() {
        let parse = |text: &str| text.parse::<Location>();
        assert_eq!(parse("memory"), Ok(Location::Memory));
        assert_eq!(parse("sqlite:/a/b.db"), Ok(Location::Sqlite("/a/b.db".into())));
        assert_eq!(parse("sqlite:b.db"), Ok(Location::Sqlite("b.db".into())));
        assert_eq!(parse("sqlite:///a/b.db"), Ok(Location::Sqlite("/a/b.db".into())));
        assert!(matches!(parse("postgres://h/d"), Ok(Location::Postgres(_))));
        assert!(matches!(parse("postgresql://h/d"), Ok(Location::Postgres(_))));
        for wrong in ["", "sqlite", "sqlite:", "postgres:h", "mysql://h/d", "memory:", "/a/b.db"] {
            assert_eq!(parse(wrong), Err(InvalidLocation), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = |url: &str| format!("{:?}", Location::Postgres(url.to_owned()));
        assert_eq!(shown("postgres://u:p@w@h:1/d?password=p"), "postgres://h:1/d");
        assert_eq!(shown("postgresql:///d"), "postgres:///d");
        assert_eq!(shown("postgres://u:p@[::1]/d"), "postgres://[::1]/d");
        assert_eq!(shown("postgres://u:p%40@h?host=/run"), "postgres://h");
        for unclear in
            ["postgres://u:p/p@h/d", "postgres://u:p?p@h/d", "postgres://u:p#p@h/d", "postgres://u:secret"]
        {
            assert_eq!(shown(unclear), "postgres://..", "{unclear}");
        }
    }
}
