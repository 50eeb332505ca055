//! Bodies from clients, and a session whose agent may send any event at any time.
//!
//! The input is a script: steps that are separated by record separators (0x1e), see [`Run::take`].
#![no_main]

mod observer;
mod run;

use agent_webkit::proto::{CreateSession, Inbound, Note};
use libfuzzer_sys::fuzz_target;

use self::run::Run;

fuzz_target!(|input: &[u8]| {
    if let Err(error) = CreateSession::parse(input) {
        assert!(!error.to_string().is_empty());
    }
    if let Err(error) = Inbound::parse(input) {
        assert!(!error.to_string().is_empty());
    }

    let _ = Note::decode(&String::from_utf8_lossy(input));

    let mut run = Run::new();
    for step in input.split(|byte| *byte == b'\x1e') {
        run.take(step);
    }
    run.end();
});
