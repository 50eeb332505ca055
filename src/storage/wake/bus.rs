//! The location of a messenger of its own, as an operator writes it.

use std::{fmt, str::FromStr};

use async_nats::ServerAddr;

/// A NATS server that carries the hints of hosts to each other: `nats://HOST:PORT`, or `tls://HOST:PORT`.
///
/// Hints name sessions and have no content. Nothing is lost while the server is away: see
/// [`StorageConfig::bus`](crate::storage::StorageConfig::bus).
///
/// ```
/// use agent_webkit::storage::Bus;
///
/// let bus: Bus = "nats://hosts:s3cret@10.0.0.9:4222".parse()?;
/// assert_eq!(format!("{bus:?}"), "nats://10.0.0.9:4222");
/// # Ok::<(), agent_webkit::storage::InvalidBus>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Bus(ServerAddr);

/// The text is not a [`Bus`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a bus is nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ before the host if the server asks for them"
)]
pub struct InvalidBus;

impl Bus {
    pub(super) const fn address(&self) -> &ServerAddr {
        &self.0
    }
}

impl FromStr for Bus {
    type Err = InvalidBus;

    fn from_str(text: &str) -> Result<Self, InvalidBus> {
        // Without a scheme the library takes anything for the name of a host.
        if !text.starts_with("nats://") && !text.starts_with("tls://") {
            return Err(InvalidBus);
        }
        let address: ServerAddr = text.parse().map_err(|_| InvalidBus)?;
        if address.host().is_empty() { Err(InvalidBus) } else { Ok(Self(address)) }
    }
}

/// Omits the user and the password.
impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.0.scheme(), self.0.host(), self.0.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_url_and_shows_no_password() {
        let shown = |text: &str| text.parse::<Bus>().map(|bus| format!("{bus:?}"));
        assert_eq!(shown("nats://u:secret@h:1").unwrap(), "nats://h:1");
        assert_eq!(shown("tls://secret@h").unwrap(), "tls://h:4222");
        for wrong in ["", "h", "h:4222", "nats:", "nats://", "http://h", "postgres://h/d"] {
            assert_eq!(shown(wrong), Err(InvalidBus), "{wrong}");
        }
    }
}
