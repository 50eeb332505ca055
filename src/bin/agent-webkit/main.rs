//! The command `agent-webkit`.

mod attach;
mod check;
mod connections;
mod drain;
mod foreign_pages;
mod health;
mod https;
mod metrics;
mod reload;
mod serve;
mod token;

use std::{io::IsTerminal, process::ExitCode};

use agent_webkit::settings::{Settings, SettingsError};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Serves a coding agent over HTTP, with resumable streams, approvals and supervision; a terminal client for it; and
/// checks of such servers.
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

    /// Talk to a session of a server in this terminal
    ///
    /// Shows the session from its first event on and reconnects by itself. A line is sent as a message, or answers the open
    /// prompt. Ctrl-C interrupts the running turn; a second Ctrl-C leaves, and the session stays. At the end of the input
    /// (Ctrl-D, or a pipe) it leaves once the session has nothing to do.
    Attach(Box<attach::Attach>),

    /// Check a running server of the agent-webkit protocol, or any resumable event stream, clause by clause
    ///
    /// Prints a report, and fails if a check has failed. It makes some sessions on the server, asks
    /// the agent for one word, two or three times, and for one permission, and deletes them. With --stream it only reads.
    Check(Box<check::Check>),
}

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Io(String),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    // The client of NATS logs each try to connect; what matters of that is logged by this crate.
    let level = if matches!(command, Command::Serve(_)) { "info,async_nats=error" } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();

    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Io(format!("cannot start the tokio runtime: {error}"))),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(settings) => serve::serve(*settings).await,
            Command::Attach(attach) => attach.run().await,
            Command::Check(check) => check.run().await,
        }
    });
    // The drain time is over for tasks that still run, and nobody waits for a further line of input.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("agent-webkit: {failure}");
    match failure {
        Failure::Settings(_) | Failure::Usage(_) => ExitCode::from(2),
        Failure::Io(_) => ExitCode::FAILURE,
    }
}
