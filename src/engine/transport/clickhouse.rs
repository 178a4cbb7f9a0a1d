//! ClickHouse over HTTP.
//!
//! A query is sent to be read only, with the settings that this server knows and lets us set; where it does not,
//! the values it has must do. The answer is one document of JSON that says itself how many rows it has, so that
//! its end is proven whatever stands between. Small tables of ours travel beside the query and are gone with it.
//! Bytes in a text that are no UTF-8 come as U+FFFD: the server writes them so.

use super::exchange::{self, Reply, Request};
use super::patience::Patience;
use super::tls::Tls;
use super::{Access, Progress, Trouble, tag, unique};
use crate::engine::{Answer, Engine, EngineError, EngineFault, Values};
use serde::Deserialize;
use settings::{Known, Settings};

mod answer;
mod failure;
mod settings;

/// How long a query may be that stands in the address: servers before 2020 take 16 KiB there.
const LONGEST_IN_ADDRESS: usize = 10 << 10;

/// The way to a ClickHouse.
pub(super) struct ClickHouse {
    access: Access,
    tls: Option<Tls>,
    settings: Settings,
}

impl ClickHouse {
    /// Asks the server for its version and settings.
    ///
    /// # Errors
    /// It cannot be reached, refuses us, or has settings under which results could be incomplete.
    pub(super) fn open(access: Access) -> Result<ClickHouse, EngineError> {
        let tls = Tls::prepare(&access, &[b"http/1.1"]).map_err(|e| e.at(&access.address, "none"))?;
        let mut opened = ClickHouse { access, tls, settings: Settings::default() };
        let version = opened.texts("SELECT version() AS version", &["version"])?;
        let version = version.first().and_then(|row| settings::version(&row[0]));
        let version = version.ok_or_else(|| opened.fail("none", settings::no_version()))?;
        let rows = opened.texts(&settings::question(version), &["name", "value", "fixed"])?;
        let known: Vec<Known> = rows.into_iter().map(Known::of).collect();
        let Access { run, limits, .. } = &opened.access;
        let chosen = Settings::choose(version, &known, run, limits.query_s);
        opened.settings = chosen.map_err(|trouble| opened.fail("none", trouble))?;
        Ok(opened)
    }

    fn fail(&self, tag: &str, trouble: Trouble) -> EngineError {
        trouble.at(&self.access.address, tag)
    }

    /// The rows of a short answer of texts.
    fn texts(&self, sql: &str, columns: &[&str]) -> Result<Vec<Vec<String>>, EngineError> {
        let answer = self.query("about", sql, &[])?;
        let column = |name: &&str| match answer.column(name) {
            Some(Values::Text(values)) => Ok(values),
            _ => {
                Err(self.fail("none", Trouble::new(EngineFault::Refused, format!("it did not say `{name}`"))))
            }
        };
        let columns = columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let row = |i: usize| columns.iter().map(|values| values[i].clone().unwrap_or_default()).collect();
        Ok((0..answer.rows()).map(row).collect())
    }

    fn run(&self, tag: &str, sql: &str, tables: &[(&str, &Answer)]) -> Result<Answer, Trouble> {
        let patience = Patience::new(self.access.limits, &self.access.stop).asking(|| self.is_running(tag));
        let sql = format!("/* clickaudit {tag} */ {sql}");
        let asked = self.send(tag, &sql, tables, &patience);
        if let Err(Trouble { fault: EngineFault::TimedOut | EngineFault::Cancelled, .. }) = asked {
            self.kill(tag);
        }
        let reply = asked?;
        if reply.status == 200 && reply.header("x-clickhouse-exception-code").is_none() {
            answer::read(&reply.body)
        } else {
            Err(failure::of(&reply))
        }
    }

    fn send(
        &self,
        tag: &str,
        sql: &str,
        tables: &[(&str, &Answer)],
        patience: &Patience,
    ) -> Result<Reply, Trouble> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        // The server holds the answer back until it is whole, so that its status is the truth.
        let mut parameters = vec![pair("query_id", tag), pair("wait_end_of_query", "1")];
        parameters.push(pair("default_format", "JSONCompact"));
        parameters.extend(self.access.address.database.iter().map(|name| pair("database", name)));
        parameters.extend(self.settings.0.iter().map(|(name, value)| pair(name, value)));
        let mut headers = self.credentials();
        let body = if tables.is_empty() {
            sql.as_bytes().to_vec()
        } else {
            let (boundary, body) = self.upload(sql, tables, &mut parameters)?;
            headers.push(("Content-Type", format!("multipart/form-data; boundary={boundary}")));
            body
        };
        let request = Request { parameters: &parameters, headers: &headers, body: &body };
        let mut seen = |name: &str, value: &str| {
            let is_progress = name == "x-clickhouse-progress";
            if is_progress && let (Some(tell), Some(progress)) = (&self.access.progress, progress(value)) {
                tell(progress);
            }
            is_progress
        };
        exchange::post(&self.access.address, self.tls.as_ref(), &request, patience, &mut seen)
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let Some(secret) = &self.access.secret else {
            return Vec::new();
        };
        let (user, password) = secret.user_and_password();
        vec![("X-ClickHouse-User", user.to_owned()), ("X-ClickHouse-Key", password.to_owned())]
    }

    /// Tables of ours as parts of a form (ClickHouse, "External data for query processing").
    fn upload(
        &self,
        sql: &str,
        tables: &[(&str, &Answer)],
        parameters: &mut Vec<(String, String)>,
    ) -> Result<(String, Vec<u8>), Trouble> {
        let boundary = format!("clickaudit-{:016x}{:016x}", unique(), unique());
        let mut body = Vec::new();
        let mut part = |name: &str, file: &str, content: &[u8]| {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            body.extend_from_slice(
                format!("Content-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        };
        if sql.len() <= LONGEST_IN_ADDRESS {
            parameters.push(("query".to_owned(), sql.to_owned()));
        } else {
            part("query", "", sql.as_bytes());
        }
        for (name, table) in tables {
            answer::plain_name(name)?;
            parameters.push((format!("{name}_structure"), answer::structure(table)?));
            parameters.push((format!("{name}_format"), "TabSeparated".to_owned()));
            part(name, &format!("; filename=\"{name}\""), answer::tab_separated(table).as_bytes());
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok((boundary, body))
    }

    /// Whether a query is at work. Older servers, and those whose settings are not ours to set, report no progress.
    fn is_running(&self, tag: &str) -> bool {
        let sql = format!("SELECT count() AS n FROM system.processes WHERE query_id = '{tag}'");
        let answer = self.beside(&sql).ok().and_then(|reply| answer::read(&reply.body).ok());
        matches!(answer.as_ref().and_then(|a| a.column("n")), Some(Values::Int(n)) if n.first() > Some(&Some(0)))
    }

    /// Asks something short beside a query, or behind it.
    fn beside(&self, sql: &str) -> Result<Reply, Trouble> {
        let parameters = [("default_format".to_owned(), "JSONCompact".to_owned())];
        let request = Request { parameters: &parameters, headers: &self.credentials(), body: sql.as_bytes() };
        exchange::post(&self.access.address, self.tls.as_ref(), &request, &Patience::short(), &mut |_, _| {
            false
        })
    }

    /// Asks the server to stop a query that nobody waits for any more. That the connection closed tells it, too
    /// (`cancel_http_readonly_queries_on_client_close`); what it answers changes nothing.
    fn kill(&self, tag: &str) {
        let _ = self.beside(&format!("KILL QUERY WHERE query_id = '{tag}' ASYNC"));
    }
}

impl Engine for ClickHouse {
    fn query(&self, name: &str, sql: &str, tables: &[(&str, &Answer)]) -> Result<Answer, EngineError> {
        let tag = tag(&self.access.run, name);
        self.run(&tag, sql, tables).map_err(|trouble| self.fail(&tag, trouble))
    }

    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, EngineError> {
        let rows = self.texts(&format!("DESCRIBE TABLE {table}"), &["name", "type"])?;
        Ok(rows.into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect())
    }

    fn tables(&self, schema: Option<&str>) -> Result<Vec<String>, EngineError> {
        let of = schema.map_or(String::new(), |schema| format!(" FROM {schema}"));
        let rows = self.texts(&format!("SHOW TABLES{of}"), &["name"])?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// What a line of progress says; numbers stand in quotes there.
#[derive(Deserialize)]
struct Told {
    read_rows: String,
    read_bytes: String,
    #[serde(alias = "total_rows")]
    total_rows_to_read: Option<String>,
}

fn progress(value: &str) -> Option<Progress> {
    let told: Told = serde_json::from_str(value).ok()?;
    let in_all = told.total_rows_to_read.and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    Some(Progress {
        rows_read: told.read_rows.parse().ok()?,
        bytes_read: told.read_bytes.parse().ok()?,
        rows_in_all: in_all,
        tasks: None,
    })
}

#[cfg(test)]
mod tests;
