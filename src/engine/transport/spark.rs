//! Spark, and what speaks like it, over Spark Connect.
//!
//! The server runs a query and hands its result over in a stream that it may end at any time, by default after two
//! minutes, long before a large query is done. Such an end looks like a good one. So a result is whole only when
//! the server has said so (`ResultComplete`); until then the stream is taken up again behind the last response
//! that came, and rows must follow on each other without a gap. Refuses: an answer without that mark, a server
//! that is another one than before, and to begin a query a second time.

use super::patience::{Patience, Waited};
use super::{Access, Trouble, shortened, tag, unique};
use crate::engine::{Answer, Column, Engine, EngineError, EngineFault, Values};
use batches::Collected;
use calls::{Calls, Ended};
use messages::*;
use std::time::Duration;

mod batches;
mod calls;
mod messages;

/// How often a connection that breaks is made anew before anything more has come.
const MOST_RETRIES: u32 = 6;

/// How often a stream may end at once with nothing in it.
const MOST_EMPTY: u32 = 10;

/// What our session says of itself: times are cut in UTC, and a sum that does not fit is an error, not another sum.
const SESSION: &[(&str, &str)] = &[("spark.sql.session.timeZone", "UTC"), ("spark.sql.ansi.enabled", "true")];

/// The way to a Spark.
pub(super) struct Spark {
    access: Access,
    calls: Calls,
    session: String,
    runtime: tokio::runtime::Runtime,
}

/// A query that runs at the server.
struct Running<'s> {
    spark: &'s Spark,
    operation: String,
    patience: Patience<'s>,
    last_response: Option<String>,
    /// Whether the query may be at the server.
    sent: bool,
    server_session: String,
    collected: Collected,
    complete: bool,
}

impl Spark {
    /// Begins a session.
    ///
    /// # Errors
    /// The server cannot be reached or refuses us.
    pub(super) fn open(access: Access) -> Result<Spark, EngineError> {
        let opened = Calls::prepare(&access).and_then(|calls| Ok((calls, runtime()?)));
        let (calls, runtime) = match opened {
            Ok(opened) => opened,
            Err(trouble) => return Err(trouble.at(&access.address, "none")),
        };
        let spark = Spark { access, calls, session: uuid(), runtime };
        spark.runtime.block_on(spark.configure()).map_err(|trouble| spark.fail("none", trouble))?;
        Ok(spark)
    }

    fn fail(&self, tag: &str, trouble: Trouble) -> EngineError {
        trouble.at(&self.access.address, tag)
    }

    fn patience(&self) -> Patience<'_> {
        Patience::new(self.access.limits, &self.access.stop)
    }

    fn user(&self) -> Option<UserContext> {
        let user = self.access.address.user.clone().unwrap_or_else(|| "clickaudit".to_owned());
        Some(UserContext { user_id: user.clone(), user_name: user })
    }

    async fn configure(&self) -> Result<(), Trouble> {
        let pairs = SESSION.iter();
        let pairs =
            pairs.map(|(k, v)| KeyValue { key: (*k).to_owned(), value: Some((*v).to_owned()) }).collect();
        let request = ConfigRequest {
            session_id: self.session.clone(),
            user_context: self.user(),
            operation: Some(ConfigOperation { set: Some(ConfigSet { pairs }) }),
            client_type: Some(CLIENT.to_owned()),
        };
        let patience = self.patience();
        let mut stream = self.calls.call("Config", &request, &patience).await.map_err(Ended::trouble)?;
        stream.next::<ConfigResponse>(&patience).await.map_err(Ended::trouble)?;
        Ok(())
    }

    async fn run(&self, tag: &str, sql: &str, tables: &[(&str, &Answer)]) -> Result<Collected, Trouble> {
        for (name, table) in tables {
            let view = CreateDataFrameViewCommand {
                input: Some(Relation::local(batches::encode(table)?)),
                name: (*name).to_owned(),
                is_global: false,
                replace: true,
            };
            let command = Command { create_dataframe_view: Some(view) };
            self.execute(tag, Plan { root: None, command: Some(command) }).await?;
        }
        let query = format!("/* clickaudit {tag} */ {sql}");
        self.execute(tag, Plan { root: Some(Relation::sql(query)), command: None }).await
    }

    /// Runs a plan to its proven end.
    async fn execute(&self, tag: &str, plan: Plan) -> Result<Collected, Trouble> {
        let mut running = Running {
            spark: self,
            operation: uuid(),
            patience: self.patience(),
            last_response: None,
            sent: false,
            server_session: String::new(),
            collected: Collected::default(),
            complete: false,
        };
        let done = running.follow(tag, plan).await;
        match &done {
            Err(Trouble { fault: EngineFault::TimedOut | EngineFault::Cancelled, .. }) => {
                running.interrupt().await
            }
            _ => running.release().await,
        }
        done?;
        Ok(running.collected)
    }
}

impl Running<'_> {
    async fn follow(&mut self, tag: &str, plan: Plan) -> Result<(), Trouble> {
        let request = ExecutePlanRequest {
            session_id: self.spark.session.clone(),
            user_context: self.spark.user(),
            plan: Some(plan),
            client_type: Some(CLIENT.to_owned()),
            request_options: vec![RequestOption {
                reattach_options: Some(ReattachOptions { reattachable: true }),
            }],
            operation_id: Some(self.operation.clone()),
            tags: vec![tag.to_owned()],
        };
        let (mut retries, mut empty) = (0, 0);
        let mut came = self.listen("ExecutePlan", &request).await;
        let mut silences = 0;
        loop {
            let (responses, ended) = came;
            let at_once = self.patience.silences() == silences;
            silences = self.patience.silences();
            if self.complete {
                return Ok(());
            }
            if responses > 0 {
                retries = 0;
            }
            match ended {
                // The server has ended its stream, not the query.
                Ended::Well if responses == 0 && at_once => empty += 1,
                Ended::Well => empty = 0,
                ended if retries < MOST_RETRIES && self.may_pass(&ended) => retries += 1,
                ended => return Err(self.lost(ended)),
            }
            if empty > MOST_EMPTY {
                let said = "the server ends every stream without a word";
                return Err(Trouble::new(EngineFault::CutShort, said));
            }
            self.sent = true;
            self.pause(retries.max(empty.min(2))).await?;
            came = self.listen("ReattachExecute", &self.again()).await;
        }
    }

    /// Whether the same may go well a moment later. A query that may have begun is asked for again, never begun
    /// again: the server knows it by its operation.
    fn may_pass(&self, ended: &Ended) -> bool {
        match ended {
            Ended::Broken(_) => true,
            Ended::Unmet(_) => self.sent,
            Ended::Status { code, .. } => self.sent && calls::is_passing(*code),
            _ => false,
        }
    }

    /// Twice as long before each further attempt, from a tenth of a second on.
    async fn pause(&self, attempts: u32) -> Result<(), Trouble> {
        if attempts > 0 {
            let pause = tokio::time::sleep(Duration::from_millis(50 << attempts.min(7)));
            calls::wait(pause, &self.patience).await.map_err(Waited::trouble)?;
        }
        self.patience.ask(Duration::ZERO).map_err(Waited::trouble)
    }

    fn again(&self) -> ReattachExecuteRequest {
        ReattachExecuteRequest {
            session_id: self.spark.session.clone(),
            user_context: self.spark.user(),
            operation_id: self.operation.clone(),
            client_type: Some(CLIENT.to_owned()),
            last_response_id: self.last_response.clone(),
        }
    }

    /// Takes what one stream brings; how many responses that were, and how it ended.
    async fn listen(&mut self, method: &str, request: &impl prost::Message) -> (u64, Ended) {
        let mut stream = match self.spark.calls.call(method, request, &self.patience).await {
            Ok(stream) => stream,
            Err(ended) => return (0, ended),
        };
        let mut responses = 0;
        loop {
            match stream.next::<ExecutePlanResponse>(&self.patience).await {
                Ok(Some(response)) => {
                    responses += 1;
                    if let Err(trouble) = self.take(response) {
                        return (responses, Ended::Ours(trouble));
                    }
                }
                Ok(None) => return (responses, Ended::Well),
                Err(ended) => return (responses, ended),
            }
        }
    }

    fn take(&mut self, response: ExecutePlanResponse) -> Result<(), Trouble> {
        let server = response.server_side_session_id;
        if !self.server_session.is_empty() && !server.is_empty() && server != self.server_session {
            return Err(Trouble::new(
                EngineFault::CutShort,
                "the server is another one than before: it was started anew",
            ));
        }
        if !server.is_empty() {
            self.server_session = server;
        }
        if !response.response_id.is_empty() {
            self.last_response = Some(response.response_id);
        }
        if let Some(batch) = response.arrow_batch {
            self.collected.add(batch)?;
        }
        if let (Some(tell), Some(progress)) = (&self.spark.access.progress, response.execution_progress) {
            tell(progress.told());
        }
        self.complete |= response.result_complete.is_some();
        Ok(())
    }

    fn lost(&self, ended: Ended) -> Trouble {
        let trouble = ended.trouble();
        // Whoever was there when the query began is not a wrong address.
        if self.sent && trouble.fault == EngineFault::Unreachable {
            let said = format!("the server went away before its answer was whole: {}", trouble.said);
            return Trouble { fault: EngineFault::CutShort, said, ..trouble };
        }
        trouble
    }

    /// Lets the server forget the query; what it answers changes nothing.
    async fn release(&self) {
        let request = ReleaseExecuteRequest {
            session_id: self.spark.session.clone(),
            user_context: self.spark.user(),
            operation_id: self.operation.clone(),
            client_type: Some(CLIENT.to_owned()),
            release_all: Some(ReleaseAll {}),
        };
        self.spark.farewell("ReleaseExecute", &request).await;
    }

    /// Asks the server to stop a query that nobody waits for any more.
    async fn interrupt(&self) {
        let request = InterruptRequest {
            session_id: self.spark.session.clone(),
            user_context: self.spark.user(),
            client_type: Some(CLIENT.to_owned()),
            interrupt_type: INTERRUPT_OPERATION,
            operation_id: Some(self.operation.clone()),
        };
        self.spark.farewell("Interrupt", &request).await;
        self.release().await;
    }
}

impl Spark {
    async fn farewell(&self, method: &str, request: &impl prost::Message) {
        let patience = Patience::short();
        if let Ok(mut stream) = self.calls.call(method, request, &patience).await {
            let _ = stream.next::<Nothing>(&patience).await;
        }
    }

    /// Runs a query and takes its result as it is.
    fn collect(&self, sql: &str, tables: &[(&str, &Answer)]) -> Result<Collected, EngineError> {
        let tag = tag(&self.access.run, "about");
        self.runtime.block_on(self.run(&tag, sql, tables)).map_err(|trouble| self.fail(&tag, trouble))
    }
}

impl Engine for Spark {
    fn query(&self, name: &str, sql: &str, tables: &[(&str, &Answer)]) -> Result<Answer, EngineError> {
        let tag = tag(&self.access.run, name);
        let collected = self.runtime.block_on(self.run(&tag, sql, tables));
        collected.and_then(Collected::answer).map_err(|trouble| self.fail(&tag, trouble))
    }

    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, EngineError> {
        Ok(self.collect(&format!("SELECT * FROM {table} LIMIT 0"), &[])?.columns())
    }

    fn tables(&self, schema: Option<&str>) -> Result<Vec<String>, EngineError> {
        let of = schema.map_or(String::new(), |schema| format!(" IN {schema}"));
        let answer = self.query("about", &format!("SHOW TABLES{of}"), &[])?;
        match answer.column("tableName") {
            Some(Values::Text(names)) => Ok(names.iter().flatten().cloned().collect()),
            _ => Ok(Vec::new()),
        }
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        let request = ReleaseSessionRequest {
            session_id: self.session.clone(),
            user_context: self.user(),
            client_type: Some(CLIENT.to_owned()),
        };
        self.runtime.block_on(self.farewell("ReleaseSession", &request));
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|e| Trouble::new(EngineFault::Unreachable, "cannot begin to wait").because(e))
}

/// An identifier of 128 bits in the form that the server asks for (RFC 9562, version 4).
fn uuid() -> String {
    let (high, low) = (unique(), unique());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    let (d, e) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}

#[cfg(test)]
mod tests;
