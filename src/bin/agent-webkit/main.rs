//! The command `agent-webkit`.

mod connections;
mod drain;
mod health;
mod metrics;
mod reload;
mod serve;

use std::{io::IsTerminal, process::ExitCode};

use agent_webkit::settings::{Settings, SettingsError};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Serves a coding agent over HTTP, with resumable streams, approvals and supervision.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the agent-webkit protocol, over HTTP/1.1 and HTTP/2
    Serve(Box<Settings>),
}

/// The reason why the server did not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Io(String),
}

fn main() -> ExitCode {
    let Cli { command: Command::Serve(settings) } = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();

    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Io(format!("cannot start the tokio runtime: {error}"))),
    };
    let outcome = runtime.block_on(serve::serve(*settings));
    // The drain time is over for tasks that still run, so the process does not wait for them.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("agent-webkit: {failure}");
    match failure {
        Failure::Settings(_) => ExitCode::from(2),
        Failure::Io(_) => ExitCode::FAILURE,
    }
}
