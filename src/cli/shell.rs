//! `clickaudit completions` and `clickaudit man`: what a shell and a reader of manuals want, made from the flags.

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::exit::Exit;
use super::print_raw;
use crate::base::error::{Error, Result};
use clap::CommandFactory;

/// Prints the completions of a shell.
///
/// # Errors
/// Stdout cannot take them.
pub fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "clickaudit", &mut script);
    print_raw(&script)?;
    Ok(Exit::Completed)
}

/// Prints the manual page of the program, or writes a page for each command into a folder.
///
/// # Errors
/// The pages cannot be written.
pub fn man(args: &ManArgs) -> Result<Exit> {
    let command = Cli::command();
    if let Some(folder) = &args.folder {
        std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, e))?;
        clap_mangen::generate_to(command, folder).map_err(|e| Error::writing(folder, e))?;
        return Ok(Exit::Completed);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| Error::output("no manual page").because(e))?;
    print_raw(&page)?;
    Ok(Exit::Completed)
}
