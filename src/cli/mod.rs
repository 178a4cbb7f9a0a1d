//! The command line: the only code that prints, exits, or reads the clock or the environment.

mod anonymise;
mod args;
mod audit;
mod backtest;
mod blocklist;
mod config;
mod elsewhere;
mod evaluate;
mod exit;
mod explain;
mod folder_tests;
mod inspect;
mod lists;
mod log;
mod memory;
mod nights;
mod postback;
mod privacy;
mod progress;
mod project;
mod reconcile;
mod rules;
mod shell;
#[cfg(test)]
mod shown;
mod simulate;
mod store;
mod timings;
mod verify;

use crate::base::caught::is_expected;
use crate::base::error::Error;
use args::{Cli, Command, ConfigCommand};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use exit::Exit;
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

/// Runs the program and returns its exit code; codes are in [`exit`].
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        if is_expected() {
            return;
        }
        complain(&format!("internal error: {info}"));
        complain(
            "this is a fault of clickaudit itself; nothing was written. Please report it with the command you ran",
        );
    }));
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    log::write_as(cli.log);
    let carried_out = AssertUnwindSafe(|| carry_out(cli.command, &matches));
    let outcome = std::panic::catch_unwind(carried_out);
    outcome.unwrap_or(Ok(Exit::Internal)).unwrap_or_else(|error| failed(&error)).into()
}

fn carry_out(command: Command, matches: &ArgMatches) -> crate::base::error::Result<Exit> {
    match command {
        Command::Audit(args) => audit::run(*args),
        Command::Explain(args) => explain::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Postback(args) => postback::run(args),
        Command::Reconcile(args) => reconcile::run(*args),
        Command::Anonymise(args) => anonymise::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Signals => rules::signals(),
        Command::Backtest(args) => backtest::run(*args),
        Command::Diff(args) => nights::diff(&args),
        Command::History(args) => nights::history(&args),
        Command::Pin(args) => nights::pin(&args),
        Command::Blocklist(args) => blocklist::run(args.command),
        Command::Store(args) => store::run(args.command),
        Command::Verify(args) => verify::run(&args),
        Command::Simulate(args) => simulate::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Init(args) => config::init(&args),
        Command::Config(args) => match args.command {
            ConfigCommand::Show(args) => config::show(*args, innermost(matches)),
        },
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Reference(args) => simulate::reference(args),
        Command::Intake(args) => audit::intake(*args),
        Command::ReadParquet(args) => audit::read_parquet(&args),
    }
}

/// The arguments of the innermost command.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

/// Prints an error chain with its help and the reason for the exit code as the last line.
fn failed(error: &Error) -> Exit {
    let mut text = format!("error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!("\n  because: {inner}"));
        cause = inner.source();
    }
    if let Some(help) = &error.help {
        text.push_str(&format!("\n  help: {help}"));
    }
    complain(&text);
    let (exit, said) = Exit::of(error.fault);
    complain(&format!("exit {}: {said}", exit as u8));
    exit
}

/// Lines on stderr, safe whatever paths and words of the user's stand in them; what cannot be said there
/// cannot be said at all.
fn complain(lines: &str) {
    complain_styled(&log::line(lines));
}

/// Lines whose text is encoded already, with colours.
fn complain_styled(lines: &str) {
    let _ = writeln!(anstream::stderr(), "{lines}");
}

/// Writes the asked-for text to stdout, without its colours where they are not wanted. A reader that went away
/// has seen enough.
///
/// # Errors
/// Stdout cannot take the bytes.
fn print(bytes: &[u8]) -> crate::base::error::Result<()> {
    write_out(&mut anstream::stdout().lock(), bytes)
}

/// Writes bytes to stdout as they are.
fn print_raw(bytes: &[u8]) -> crate::base::error::Result<()> {
    write_out(&mut io::stdout().lock(), bytes)
}

fn write_out(stdout: &mut dyn Write, bytes: &[u8]) -> crate::base::error::Result<()> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::output("cannot write to stdout").because(e))
        }
        _ => Ok(()),
    }
}
