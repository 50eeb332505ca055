//! Sessions that outlive their server. The real server is killed, frozen, stopped and started again; the real
//! `claude` CLI continues, and a client that reconnects has missed nothing.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../support/device.rs"]
mod device;
#[path = "../support/faulty_disk.rs"]
mod faulty_disk;
#[path = "../support/pooler.rs"]
mod pooler;
#[path = "../support/small_disk.rs"]
mod small_disk;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/way.rs"]
mod way;

mod anywhere;
mod broken_disk;
mod budgets;
mod cost;
mod crashes;
mod deleting;
mod fleet_times;
mod fork;
mod full_disk;
mod hangs;
mod hibernation;
mod hosts;
mod inputs;
mod itself;
mod long_turn;
mod messengers;
mod outage;
mod place;
mod prompts;
mod reader;
mod reference;
mod rewind;
mod rows;
mod start;
mod wakeups;
mod warm;
