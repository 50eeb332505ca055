//! The load bench: `load [ROUNDS [FILTER [SERVER]]]`. See README.md.

mod load {
    pub mod bursts;
    pub mod control;
    pub mod cpu;
    pub mod first;
    pub mod fleet;
    pub mod hosts;
    pub mod parser;
    pub mod picture;
    pub mod plan;
    pub mod report;
    pub mod rings;
    pub mod silent;
    pub mod stalled;
    pub mod target;
    pub mod tests;
}

use std::{env, process::ExitCode};

use load::{first, plan, report::Report, target::Failure};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("the bench failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let filter = arguments.next().unwrap_or_default();
    let only = arguments.next();
    let tests = plan::tests();
    let mut report = Report::default();
    for round in 1..=rounds {
        for test in tests.iter().filter(|test| test.name.contains(&filter)) {
            // The servers take turns within a round, so that a disturbance of the machine affects all of
            // them.
            for server in
                test.servers.iter().filter(|server| only.as_ref().is_none_or(|only| server.name() == only))
            {
                eprintln!("round {round} of {rounds}: {}, {}", test.name, server.name());
                let failed = |failure: Failure| format!("{}, {}: {failure}", test.name, server.name());
                for (figure, value) in test.run(*server).map_err(failed)? {
                    eprintln!("    {figure}: {value:.2}");
                    report.note(test.name, figure, server.name(), value);
                }
            }
        }
        if first::TEST.contains(&filter) {
            eprintln!("round {round} of {rounds}: {}", first::TEST);
            for (way, milliseconds) in
                first::round().map_err(|failure| format!("{}, {failure}", first::TEST))?
            {
                eprintln!("    {way}: {milliseconds:.1}");
                report.note(first::TEST, first::FIGURE, way, milliseconds);
            }
        }
    }
    print!("{}", report.table());
    if let Ok(place) = env::var("RESULTS") {
        report.write(&place, rounds)?;
    }
    Ok(())
}
