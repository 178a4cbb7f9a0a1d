//! Batches of rows in Arrow's format for streams, there and back.
//!
//! Every batch says how many rows it has and, with newer servers, which row of the result is its first: a batch
//! that is missing is found even if the server says that all is well.

use super::messages::ArrowBatch;
use super::{Answer, Column, EngineFault, Trouble, Values};
use crate::base::caught::caught;
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8Array, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, TimeUnit};
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use polars_arrow::io::ipc::write::{StreamWriter, WriteOptions};
use polars_arrow::record_batch::RecordBatchT;
use polars_arrow::types::NativeType;
use std::io::Cursor;
use std::sync::Arc;

/// What has come of a result.
#[derive(Default)]
pub(super) struct Collected {
    schema: Schema,
    parts: Vec<Vec<Box<dyn Array>>>,
    rows: u64,
}

fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Trouble {
    Trouble::new(EngineFault::CutShort, "a batch of rows is damaged").because(why)
}

impl Collected {
    /// Adds the next batch.
    pub(super) fn add(&mut self, batch: ArrowBatch) -> Result<(), Trouble> {
        let expected = i64::try_from(self.rows).unwrap_or(i64::MAX);
        if batch.start_offset.is_some_and(|start| start != expected) {
            let start = batch.start_offset.unwrap_or_default();
            let said = format!("the answer has a gap: row {expected} was next, and row {start} came");
            return Err(Trouble::new(EngineFault::CutShort, said));
        }
        let (schema, parts) = decoded(batch.data)?;
        if self.schema.is_empty() {
            self.schema = schema;
        } else if self.schema != schema {
            return Err(damaged("its columns are others than before"));
        }
        let rows: u64 = parts.iter().map(|part| part.len() as u64).sum();
        self.parts.extend(parts.into_iter().map(RecordBatchT::into_arrays));
        if i64::try_from(rows) != Ok(batch.row_count) {
            return Err(damaged(format!("it has {rows} rows and says {}", batch.row_count)));
        }
        self.rows += rows;
        Ok(())
    }

    /// Names and types of the columns, as Spark calls them.
    pub(super) fn columns(self) -> Vec<(String, String)> {
        self.schema.into_iter().map(|(name, dtype)| (name, type_name(&dtype))).collect()
    }

    /// The result as whole numbers and texts.
    pub(super) fn answer(self) -> Result<Answer, Trouble> {
        if self.schema.is_empty() {
            return Err(Trouble::new(
                EngineFault::CutShort,
                "the answer is marked as whole and has no columns",
            ));
        }
        let mut columns = Vec::with_capacity(self.schema.len());
        for (i, (name, dtype)) in self.schema.iter().enumerate() {
            let mut values = empty(name, dtype, self.rows)?;
            for part in &self.parts {
                let array = part.get(i).ok_or_else(|| damaged("a column is missing"))?;
                append(&mut values, &**array).ok_or_else(|| out_of_range(name))?;
            }
            columns.push(Column { name: name.clone(), values });
        }
        Ok(Answer { columns })
    }
}

type Schema = Vec<(String, ArrowDataType)>;
type Parts = Vec<RecordBatchT<Box<dyn Array>>>;

/// Names, types and rows of a batch. The reader trusts lengths that stand in it: where they lie, it panics.
fn decoded(data: Vec<u8>) -> Result<(Schema, Parts), Trouble> {
    let read = || {
        let mut reader = Cursor::new(data);
        let metadata = read_stream_metadata(&mut reader).map_err(damaged)?;
        let fields = metadata.schema.iter_values();
        let schema = fields.map(|field| (field.name.to_string(), field.dtype.clone())).collect();
        let mut parts = Vec::new();
        for state in StreamReader::new(reader, metadata, None) {
            let StreamState::Some(chunk) = state.map_err(damaged)? else { break };
            parts.push(chunk);
        }
        Ok((schema, parts))
    };
    caught(read).unwrap_or_else(|| Err(damaged("its lengths lie")))
}

fn out_of_range(name: &str) -> Trouble {
    Trouble::new(
        EngineFault::Refused,
        format!("a value of `{name}` is no whole number of 64 bits with a sign"),
    )
}

fn empty(name: &str, dtype: &ArrowDataType, rows: u64) -> Result<Values, Trouble> {
    use ArrowDataType::*;
    let room = usize::try_from(rows).unwrap_or_default();
    match dtype {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Boolean | Decimal(_, 0) => {
            Ok(Values::Int(Vec::with_capacity(room)))
        }
        Utf8 | LargeUtf8 | Utf8View | Null => Ok(Values::Text(Vec::with_capacity(room))),
        other => {
            let said = format!("`{name}` is {}; only whole numbers and texts are read", type_name(other));
            Err(Trouble::new(EngineFault::Refused, said))
        }
    }
}

/// Appends the values of an array; nothing if one does not fit.
fn append(values: &mut Values, array: &dyn Array) -> Option<()> {
    use ArrowDataType::*;
    match values {
        Values::Int(values) => match array.dtype() {
            Int8 => whole::<i8>(values, array),
            Int16 => whole::<i16>(values, array),
            Int32 => whole::<i32>(values, array),
            Int64 => whole::<i64>(values, array),
            UInt8 => whole::<u8>(values, array),
            UInt16 => whole::<u16>(values, array),
            UInt32 => whole::<u32>(values, array),
            UInt64 => whole::<u64>(values, array),
            Decimal(_, 0) => whole::<i128>(values, array),
            _ => {
                let array = array.as_any().downcast_ref::<BooleanArray>()?;
                values.extend(array.iter().map(|v| v.map(i64::from)));
                Some(())
            }
        },
        Values::Text(values) => match array.dtype() {
            Utf8 => texts(values, array.as_any().downcast_ref::<Utf8Array<i32>>()?.iter()),
            LargeUtf8 => texts(values, array.as_any().downcast_ref::<Utf8Array<i64>>()?.iter()),
            Utf8View => texts(values, array.as_any().downcast_ref::<Utf8ViewArray>()?.iter()),
            _ => {
                values.extend(std::iter::repeat_n(None, array.len()));
                Some(())
            }
        },
    }
}

fn whole<T: NativeType + TryInto<i64>>(values: &mut Vec<Option<i64>>, array: &dyn Array) -> Option<()> {
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    for value in array.iter() {
        values.push(match value {
            Some(value) => Some((*value).try_into().ok()?),
            None => None,
        });
    }
    Some(())
}

fn texts<'a>(values: &mut Vec<Option<String>>, found: impl Iterator<Item = Option<&'a str>>) -> Option<()> {
    values.extend(found.map(|v| v.map(str::to_owned)));
    Some(())
}

/// What Spark calls a type.
fn type_name(dtype: &ArrowDataType) -> String {
    use ArrowDataType::*;
    match dtype {
        Boolean => "boolean".to_owned(),
        Int8 => "tinyint".to_owned(),
        Int16 => "smallint".to_owned(),
        Int32 => "int".to_owned(),
        Int64 => "bigint".to_owned(),
        Float32 => "float".to_owned(),
        Float64 => "double".to_owned(),
        Utf8 | LargeUtf8 | Utf8View => "string".to_owned(),
        Binary | LargeBinary | BinaryView => "binary".to_owned(),
        Date32 => "date".to_owned(),
        Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".to_owned(),
        Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz".to_owned(),
        Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        Null => "void".to_owned(),
        other => format!("{other:?}").to_ascii_lowercase(),
    }
}

/// A table of ours as a stream of one batch.
pub(super) fn encode(table: &Answer) -> Result<Vec<u8>, Trouble> {
    let mut arrays: Vec<Box<dyn Array>> = Vec::new();
    let mut schema = ArrowSchema::default();
    for column in &table.columns {
        let array: Box<dyn Array> = match &column.values {
            Values::Int(values) => Box::new(PrimitiveArray::<i64>::from(values.clone())),
            Values::Text(values) => Box::new(Utf8Array::<i32>::from(values.clone())),
        };
        let field = Field::new(column.name.as_str().into(), array.dtype().clone(), true);
        schema.insert(column.name.as_str().into(), field);
        arrays.push(array);
    }
    let schema = Arc::new(schema);
    let unwritable = |e| Trouble::new(EngineFault::Refused, "cannot write a table of ours").because(e);
    let batch = RecordBatchT::try_new(table.rows(), Arc::clone(&schema), arrays);
    let batch = batch.map_err(|e| unwritable(e.to_string()))?;
    let mut writer = StreamWriter::new(Vec::new(), WriteOptions { compression: None });
    let written =
        writer.start(&schema, None).and_then(|()| writer.write(&batch, None)).and_then(|()| writer.finish());
    written.map_err(|e| unwritable(e.to_string()))?;
    Ok(writer.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(numbers: Vec<Option<i64>>, texts: Vec<Option<&str>>) -> Answer {
        let texts = texts.into_iter().map(|t| t.map(str::to_owned)).collect();
        Answer {
            columns: vec![
                Column { name: "n".to_owned(), values: Values::Int(numbers) },
                Column { name: "t".to_owned(), values: Values::Text(texts) },
            ],
        }
    }

    fn batch(table: &Answer, start: Option<i64>) -> ArrowBatch {
        let row_count = i64::try_from(table.rows()).expect("a few rows");
        ArrowBatch { row_count, data: encode(table).expect("a batch"), start_offset: start }
    }

    #[test]
    fn what_is_written_is_read() {
        let first = table(vec![Some(i64::MIN), None], vec![Some("a'\\\"\u{200b}😀\0"), None]);
        let second = table(vec![Some(i64::MAX)], vec![Some("")]);
        let mut collected = Collected::default();
        collected.add(batch(&first, Some(0))).expect("the first");
        collected.add(batch(&second, Some(2))).expect("the second");
        let expected = table(
            vec![Some(i64::MIN), None, Some(i64::MAX)],
            vec![Some("a'\\\"\u{200b}😀\0"), None, Some("")],
        );
        assert_eq!(collected.answer().expect("an answer"), expected);
    }

    #[test]
    fn a_gap_is_found() {
        let mut collected = Collected::default();
        collected.add(batch(&table(vec![Some(1)], vec![None]), None)).expect("the first");
        let trouble = collected.add(batch(&table(vec![Some(1)], vec![None]), Some(5))).expect_err("a gap");
        assert_eq!(
            (trouble.fault, trouble.said.as_str()),
            (EngineFault::CutShort, "the answer has a gap: row 1 was next, and row 5 came")
        );
    }

    #[test]
    fn a_damaged_batch_is_found() {
        let whole = batch(&table(vec![Some(1), Some(2)], vec![Some("a"), Some("b")]), None);
        for end in [0, 3, 8, 100, whole.data.len() / 2] {
            let cut = ArrowBatch { data: whole.data[..end].to_vec(), ..whole.clone() };
            assert_eq!(
                Collected::default().add(cut).expect_err("damaged").fault,
                EngineFault::CutShort,
                "{end}"
            );
        }
        // Whatever byte is another one: rows that look sound, or one error.
        let mut found = 0;
        for at in 0..whole.data.len() {
            for flipped in [0x01, 0x10, 0x80, 0xff] {
                let mut data = whole.data.clone();
                data[at] ^= flipped;
                let mut collected = Collected::default();
                let added = collected.add(ArrowBatch { data, ..whole.clone() });
                found += usize::from(added.and_then(|()| collected.answer()).is_err());
            }
        }
        assert!(found > whole.data.len(), "{found} of {}", whole.data.len() * 4);
        let few = ArrowBatch { row_count: 3, ..whole };
        assert_eq!(Collected::default().add(few).expect_err("damaged").said, "a batch of rows is damaged");
    }
}
