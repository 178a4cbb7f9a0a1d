//! Asks an engine one query, as `tests/external/transport.py` wants it, and writes the answer as JSON.
//!
//!     engine_query clickhouse|spark ADDRESS [--secret FILE] [--ca FILE] [--silence S] [--limit S]
//!                  [--table NAME=FILE.json] [--progress] (--columns TABLE | SQL)
//!
//! A table is a JSON object of columns, each a list of whole numbers or texts. Exit codes are those of clickaudit.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for tests, not a part of the product"
)]

use clickaudit::base::error::{Error, Fault, Result};
use clickaudit::engine::transport::{Access, Address, Kind, Limits, Secret, Stop, open};
use clickaudit::engine::{Answer, Column, EngineError, Values};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the command line asks for.
struct Wish {
    access: Access,
    tables: Vec<(String, Answer)>,
    columns: bool,
    text: String,
}

fn main() -> ExitCode {
    match wish().and_then(fulfil) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                eprintln!("  because: {inner}");
                cause = inner.source();
            }
            if let Some(help) = &error.help {
                eprintln!("  help: {help}");
            }
            ExitCode::from(if error.fault == Fault::Usage { 2 } else { 3 })
        }
    }
}

fn wish() -> Result<Wish> {
    let missing = || Error::usage("see the head of this program for what it takes");
    let mut words = std::env::args().skip(1);
    let kind = match words.next().as_deref() {
        Some("clickhouse") => Kind::ClickHouse,
        Some("spark") => Kind::Spark,
        _ => return Err(missing()),
    };
    let access = Access {
        address: Address::parse(kind, &words.next().ok_or_else(missing)?)?,
        secret: None,
        ca: None,
        limits: Limits::USUAL,
        run: "test".to_owned(),
        stop: stop_on_interrupt(),
        progress: None,
    };
    let mut wish = Wish { access, tables: Vec::new(), columns: false, text: String::new() };
    while let Some(word) = words.next() {
        let mut next = || words.next().ok_or_else(missing);
        match word.as_str() {
            "--secret" => wish.access.secret = Some(Secret::from_file(Path::new(&next()?))?),
            "--ca" => wish.access.ca = Some(PathBuf::from(next()?)),
            "--silence" => wish.access.limits.silence_s = next()?.parse().map_err(|_| missing())?,
            "--limit" => wish.access.limits.query_s = next()?.parse().map_err(|_| missing())?,
            "--progress" => {
                wish.access.progress = Some(Box::new(|progress| eprintln!("progress: {progress:?}")))
            }
            "--columns" => wish.columns = true,
            "--table" => {
                let pair = next()?;
                let (name, path) = pair.split_once('=').ok_or_else(missing)?;
                wish.tables.push((name.to_owned(), table(Path::new(path))?));
            }
            _ => wish.text = word,
        }
    }
    Ok(wish)
}

fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    let registered = signal_hook::flag::register(signal_hook::consts::SIGINT, stop.asked());
    registered.expect("a signal can be waited for");
    stop
}

fn fulfil(wish: Wish) -> Result<()> {
    let engine = open(wish.access)?;
    let output = if wish.columns {
        let columns = engine.columns(&wish.text).map_err(EngineError::into_error)?;
        Value::from_iter(columns.into_iter().map(|(name, kind)| Value::from(vec![name, kind])))
    } else {
        let tables: Vec<(&str, &Answer)> =
            wish.tables.iter().map(|(name, table)| (name.as_str(), table)).collect();
        json(engine.query("query", &wish.text, &tables).map_err(EngineError::into_error)?)
    };
    println!("{output}");
    Ok(())
}

fn json(answer: Answer) -> Value {
    let column = |column: Column| {
        let values = match column.values {
            Values::Int(values) => Value::from_iter(values),
            Values::Text(values) => Value::from_iter(values),
        };
        (column.name, values)
    };
    Value::Object(answer.columns.into_iter().map(column).collect())
}

fn table(path: &Path) -> Result<Answer> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, e))?;
    let columns: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| Error::usage("no table").because(e))?;
    let columns = columns.into_iter().map(|(name, values)| {
        let values: Vec<Value> = values.as_array().cloned().unwrap_or_default();
        let values = if values.iter().any(Value::is_i64) {
            Values::Int(values.iter().map(Value::as_i64).collect())
        } else {
            Values::Text(values.iter().map(|v| v.as_str().map(str::to_owned)).collect())
        };
        Column { name, values }
    });
    Ok(Answer { columns: columns.collect() })
}
