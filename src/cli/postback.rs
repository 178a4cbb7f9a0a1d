//! `clickaudit postback`: what a postback link lacks, and how a whole one looks. Asks no network.

use super::args::{PageFormat, Parties, PostbackArgs, PostbackCheckArgs, PostbackCommand, PostbackUrlArgs};
use super::exit::Exit;
use super::print;
use crate::base::error::{Error, Result};
use crate::base::text::Text;
use crate::ingest::postback::{Advice, Check, MacroUse, Tracker, build, check, tracker};
use serde_json::{Value, json};

/// Runs the command.
///
/// # Errors
/// An unknown tracker, or what is no link.
pub fn run(args: PostbackArgs) -> Result<Exit> {
    let text = match args.command {
        PostbackCommand::Check(args) => checked(&args)?,
        PostbackCommand::Url(args) => built(&args)?,
    };
    print(text.as_bytes())?;
    Ok(Exit::Completed)
}

/// A link that is longer than this is no link.
const LONGEST: usize = 64 << 10;

impl Parties {
    fn found(&self) -> Result<(&'static Tracker, &'static Tracker)> {
        let receiver = tracker(&self.tracker)?;
        Ok((receiver, self.sender.as_deref().map_or(Ok(receiver), tracker)?))
    }
}

/// A link is one word with a path or a query.
fn link(text: &str) -> Result<&str> {
    let text = text.trim();
    let is_link = text.contains(['/', '?']) && !text.contains(char::is_whitespace) && text.len() <= LONGEST;
    let wrong = || {
        Error::usage(format!("`{}` is no link", shown(text)))
            .help("give a whole URL in quotes, such as 'https://track.example.com/postback?cid={sub1}'")
    };
    if is_link { Ok(text) } else { Err(wrong()) }
}

fn shown(text: &str) -> String {
    Text::new(text).term(2_000)
}

fn checked(args: &PostbackCheckArgs) -> Result<String> {
    let (receiver, sender) = args.parties.found()?;
    let found = check(link(&args.url)?, receiver, sender);
    Ok(match args.parties.format {
        PageFormat::Text => page(&found, receiver, sender),
        PageFormat::Json => format!("{:#}\n", document(&found, receiver, sender)),
    })
}

fn page(found: &Check, receiver: &Tracker, sender: &Tracker) -> String {
    let mut out = format!("received by {} · fired by {}\n", receiver.title, sender.title);
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out += &format!("\n{title}\n");
            lines.iter().for_each(|line| out += &format!("  {line}\n"));
        }
    };
    let read = |(name, says): &(String, &str)| format!("{} is {says}", shown(name));
    section("parameters that are read", found.read.iter().map(read).collect());
    section("parameters that are not known", found.unknown.iter().map(|name| shown(name)).collect());
    section("macros", found.macros.iter().map(|m| macro_line(m, sender)).collect());
    let damage =
        "an HTML editor read `&currency` as `¤cy` or the like: paste the corrected link as plain text";
    section("damage", found.damaged.then(|| damage.to_owned()).into_iter().collect());
    section("lacks", found.lacks.iter().map(|a| lack_line(a, receiver, sender)).collect());
    out += if found.is_complete() { "\nnothing is to be corrected\n" } else { "\ncorrected\n" };
    out + &format!("  {}\n", shown(&found.corrected))
}

fn macro_line(m: &MacroUse, sender: &Tracker) -> String {
    let (text, parameter) = (shown(&m.text), shown(&m.parameter));
    match (m.replaced, &m.instead) {
        (true, None) => format!("{text} in {parameter}: {} replaces it", sender.title),
        (true, Some(instead)) => format!(
            "{text} in {parameter}: {} puts its own click ID there; yours is in {instead}, or in whatever carried it",
            sender.title
        ),
        (false, Some(instead)) => {
            format!("{text} in {parameter}: {} does not replace it; use {instead}", sender.title)
        }
        (false, None) => {
            format!("{text} in {parameter}: {} does not replace it and has none like it", sender.title)
        }
    }
}

fn lack_line(advice: &Advice, receiver: &Tracker, sender: &Tracker) -> String {
    let what = format!("{}{}: {}", advice.what, if advice.required { " (required)" } else { "" }, advice.why);
    match (advice.parameter, &advice.macro_) {
        (None, _) if advice.what == "token" => {
            format!("{what}; {} has no parameter for it: restrict the senders by address", receiver.title)
        }
        (None, _) => format!("{what}; {} has no parameter for it", receiver.title),
        (Some(parameter), Some(text)) => format!("{what}; add {parameter}={text}"),
        (Some(parameter), None) if advice.what == "token" => {
            format!("{what}; add {parameter} with your token")
        }
        (Some(parameter), None) => {
            format!("{what}; {parameter} would carry it, but {} has no macro for it", sender.title)
        }
    }
}

fn document(found: &Check, receiver: &Tracker, sender: &Tracker) -> Value {
    let plain = |text: &str| Text::new(text).json();
    let macros: Vec<Value> = found
        .macros
        .iter()
        .map(|m| {
            json!({
                "parameter": plain(&m.parameter),
                "macro": plain(&m.text),
                "replaced": m.replaced,
                "instead": m.instead,
            })
        })
        .collect();
    let read: Vec<Value> =
        found.read.iter().map(|(name, says)| json!({"parameter": plain(name), "read_as": says})).collect();
    json!({
        "tracker": receiver.name,
        "sender": sender.name,
        "complete": found.is_complete(),
        "read": read,
        "unknown": found.unknown.iter().map(|name| plain(name)).collect::<Vec<_>>(),
        "macros": macros,
        "damaged": found.damaged,
        "lacks": found.lacks.iter().map(lack).collect::<Vec<_>>(),
        "corrected": plain(&found.corrected),
    })
}

fn lack(advice: &Advice) -> Value {
    json!({
        "what": advice.what,
        "required": advice.required,
        "why": advice.why,
        "parameter": advice.parameter,
        "macro": advice.macro_,
    })
}

fn built(args: &PostbackUrlArgs) -> Result<String> {
    let (receiver, sender) = args.parties.found()?;
    let path = receiver.paths.first().unwrap_or(&"/postback");
    let place = args.at.clone().unwrap_or_else(|| format!("https://YOUR-DOMAIN{path}"));
    let fixed: Vec<(String, String)> = args.set.iter().map(|text| fixed(text)).collect::<Result<_>>()?;
    let built = build(link(&place)?, receiver, sender, &fixed);
    Ok(match args.parties.format {
        PageFormat::Json => {
            let lacks: Vec<Value> = built.lacks.iter().map(lack).collect();
            let url = Text::new(built.url).json();
            format!(
                "{:#}\n",
                json!({"tracker": receiver.name, "sender": sender.name, "url": url, "lacks": lacks})
            )
        }
        PageFormat::Text => {
            let lines = built.lacks.iter().map(|a| format!("lacks {}\n", lack_line(a, receiver, sender)));
            format!("{}\n{}", shown(&built.url), lines.collect::<String>())
        }
    })
}

/// `NAME=VALUE`.
fn fixed(text: &str) -> Result<(String, String)> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    let (name, value) = text.split_once('=').filter(|(name, _)| is_name(name)).ok_or_else(|| {
        Error::usage(format!("`{}` is no parameter", shown(text)))
            .help("write it as --set event=first_deposit")
    })?;
    Ok((name.to_owned(), value.to_owned()))
}
