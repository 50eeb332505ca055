//! Ports of servers that are stopped and started again.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

/// Returns a free port outside the range of outgoing connections, so that it is still free after an outage.
pub(crate) fn free_port() -> u16 {
    let random = RandomState::new().hash_one(std::process::id());
    (0..1000)
        .map(|step| 15_000 + ((random.wrapping_add(step)) % 15_000) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
