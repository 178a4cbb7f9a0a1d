//! The messages of Spark Connect that are needed here, with the numbers that the protocol gives their fields
//! (Apache Spark 4, `spark/connect/base.proto`, `relations.proto`, `commands.proto`). Fields that are not named
//! here are passed over, as the encoding has it.

use crate::engine::transport::Progress;
use prost::Message;

/// What we call ourselves in the server's log.
pub(super) const CLIENT: &str = "clickaudit";

/// `INTERRUPT_TYPE_OPERATION_ID`.
pub(super) const INTERRUPT_OPERATION: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserContext {
    #[prost(string, tag = "1")]
    pub(super) user_id: String,
    #[prost(string, tag = "2")]
    pub(super) user_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Plan {
    #[prost(message, optional, tag = "1")]
    pub(super) root: Option<Relation>,
    #[prost(message, optional, tag = "2")]
    pub(super) command: Option<Command>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Relation {
    #[prost(message, optional, tag = "10")]
    pub(super) sql: Option<Sql>,
    #[prost(message, optional, tag = "11")]
    pub(super) local_relation: Option<LocalRelation>,
}

impl Relation {
    pub(super) fn sql(query: String) -> Relation {
        Relation { sql: Some(Sql { query }), local_relation: None }
    }

    pub(super) fn local(data: Vec<u8>) -> Relation {
        Relation { sql: None, local_relation: Some(LocalRelation { data: Some(data) }) }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sql {
    #[prost(string, tag = "1")]
    pub(super) query: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LocalRelation {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) data: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Command {
    #[prost(message, optional, tag = "3")]
    pub(super) create_dataframe_view: Option<CreateDataFrameViewCommand>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CreateDataFrameViewCommand {
    #[prost(message, optional, tag = "1")]
    pub(super) input: Option<Relation>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(bool, tag = "3")]
    pub(super) is_global: bool,
    #[prost(bool, tag = "4")]
    pub(super) replace: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutePlanRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub(super) plan: Option<Plan>,
    #[prost(string, optional, tag = "4")]
    pub(super) client_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) request_options: Vec<RequestOption>,
    #[prost(string, optional, tag = "6")]
    pub(super) operation_id: Option<String>,
    #[prost(string, repeated, tag = "7")]
    pub(super) tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestOption {
    #[prost(message, optional, tag = "1")]
    pub(super) reattach_options: Option<ReattachOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReattachOptions {
    #[prost(bool, tag = "1")]
    pub(super) reattachable: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutePlanResponse {
    #[prost(message, optional, tag = "2")]
    pub(super) arrow_batch: Option<ArrowBatch>,
    #[prost(string, tag = "13")]
    pub(super) response_id: String,
    #[prost(message, optional, tag = "14")]
    pub(super) result_complete: Option<ResultComplete>,
    #[prost(string, tag = "15")]
    pub(super) server_side_session_id: String,
    #[prost(message, optional, tag = "18")]
    pub(super) execution_progress: Option<ExecutionProgress>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ArrowBatch {
    #[prost(int64, tag = "1")]
    pub(super) row_count: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
    #[prost(int64, optional, tag = "3")]
    pub(super) start_offset: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ResultComplete {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionProgress {
    #[prost(message, repeated, tag = "1")]
    pub(super) stages: Vec<StageInfo>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct StageInfo {
    #[prost(int64, tag = "2")]
    pub(super) num_tasks: i64,
    #[prost(int64, tag = "3")]
    pub(super) num_completed_tasks: i64,
    #[prost(int64, tag = "4")]
    pub(super) input_bytes_read: i64,
}

impl ExecutionProgress {
    /// The same over all stages.
    pub(super) fn told(&self) -> Progress {
        let sum =
            |of: fn(&StageInfo) -> i64| self.stages.iter().map(|s| u64::try_from(of(s)).unwrap_or(0)).sum();
        Progress {
            rows_read: 0,
            bytes_read: sum(|s| s.input_bytes_read),
            rows_in_all: None,
            tasks: Some((sum(|s| s.num_completed_tasks), sum(|s| s.num_tasks))),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReattachExecuteRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(string, tag = "3")]
    pub(super) operation_id: String,
    #[prost(string, optional, tag = "4")]
    pub(super) client_type: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) last_response_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReleaseExecuteRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(string, tag = "3")]
    pub(super) operation_id: String,
    #[prost(string, optional, tag = "4")]
    pub(super) client_type: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(super) release_all: Option<ReleaseAll>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ReleaseAll {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct InterruptRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(string, optional, tag = "3")]
    pub(super) client_type: Option<String>,
    #[prost(int32, tag = "4")]
    pub(super) interrupt_type: i32,
    #[prost(string, optional, tag = "6")]
    pub(super) operation_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConfigRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub(super) operation: Option<ConfigOperation>,
    #[prost(string, optional, tag = "4")]
    pub(super) client_type: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConfigOperation {
    #[prost(message, optional, tag = "1")]
    pub(super) set: Option<ConfigSet>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConfigSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) pairs: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, optional, tag = "2")]
    pub(super) value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConfigResponse {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReleaseSessionRequest {
    #[prost(string, tag = "1")]
    pub(super) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) user_context: Option<UserContext>,
    #[prost(string, optional, tag = "3")]
    pub(super) client_type: Option<String>,
}

/// A response of which nothing is needed.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Nothing {}
