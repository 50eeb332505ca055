//! `agent-webkit`: serves the protocol from the command line.
fn main() {}
