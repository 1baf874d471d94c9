//! One column that a paper may be made of: which columns those are, and their values as JSON.
//!
//! Read are texts, whole numbers, numbers, truth values and times, which become days; lists of texts; and lists of records, of
//! which the texts and the times. Whatever else there is, such as a vector or an image, is never taken from the file.

use jiff::Span;
use jiff::civil::Date;
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use serde_json::{Map, Value};

const DAY_MILLIS: i64 = 86_400_000;
/// Floats above it do not count by ones.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A column of the file, as far as it is read.
pub(super) struct Column {
    /// Which of all the file's columns.
    pub(super) at: usize,
    /// The key of the record.
    pub(super) name: String,
    kind: Kind,
    shape: Shape,
    /// The definition level of a value that is there.
    full: i16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    WholeUnsigned,
    Number,
    Truth,
    Days,
    /// A time, in units of which a day has so many.
    Times(i64),
}

enum Shape {
    One,
    /// A list; an entry that is there, be it null, has this definition level at least.
    List(i16),
    /// This key of the records of a list; likewise.
    ListOf(String, i16),
}

/// The columns that are read, of all that there are.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<Column> {
    (0..schema.num_columns()).filter_map(|at| column(schema, at)).collect()
}

fn column(schema: &SchemaDescriptor, at: usize) -> Option<Column> {
    let leaf = schema.column(at);
    let kind = kind(&leaf)?;
    let parts = leaf.path().parts();
    let is_list = leaf.max_rep_level() > 0;
    let shape = if is_list { list(schema, at)? } else { Shape::One };
    let is_fit = match shape {
        Shape::One => parts.len() == 1,
        Shape::List(_) => kind == Kind::Text,
        Shape::ListOf(..) => matches!(kind, Kind::Text | Kind::Days | Kind::Times(_)),
    };
    is_fit.then(|| Column { at, name: parts[0].clone(), kind, shape, full: leaf.max_def_level() })
}

/// The list that a column is, or is in: what repeats is the column itself, or all that the column at the top holds.
fn list(schema: &SchemaDescriptor, at: usize) -> Option<Shape> {
    let leaf = schema.column(at);
    let (parts, top) = (leaf.path().parts(), schema.get_column_root(at));
    let is_bare = top.get_basic_info().has_repetition() && top.get_basic_info().repetition() == Repetition::REPEATED;
    let is_map = matches!(top.get_basic_info().converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    if leaf.max_rep_level() > 1 || is_map || top.is_primitive() && !is_bare {
        return None;
    }
    let repeated = if is_bare { top } else { top.get_fields().first()?.as_ref() };
    let below = parts.len() - if is_bare { 1 } else { 2 };
    let is_repeated = repeated.get_basic_info().has_repetition() && repeated.get_basic_info().repetition() == Repetition::REPEATED;
    let member = parts.last()?.clone();
    let entry = leaf.repeated_ancestor_def_level();
    match below {
        _ if !is_repeated => None,
        0 => Some(Shape::List(entry)),
        // The entry itself has a name of its own, between the list and what the entry holds; old writers leave it out.
        1 if repeated.get_fields().len() == 1 => Some(Shape::List(entry)),
        1 => Some(Shape::ListOf(member, entry)),
        2 if !is_bare => Some(Shape::ListOf(member, entry)),
        _ => None,
    }
}

fn kind(leaf: &ColumnDescriptor) -> Option<Kind> {
    let physical = leaf.physical_type();
    if let (Physical::INT64, Some(LogicalType::Timestamp(time))) = (physical, leaf.logical_type_ref()) {
        return Some(Kind::Times(match time.unit {
            TimeUnit::MILLIS => DAY_MILLIS,
            TimeUnit::MICROS => DAY_MILLIS * 1000,
            TimeUnit::NANOS => DAY_MILLIS * 1_000_000,
        }));
    }
    Some(match (physical, leaf.converted_type()) {
        (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => Kind::Text,
        (Physical::INT32, ConvertedType::DATE) => Kind::Days,
        (Physical::INT64, ConvertedType::TIMESTAMP_MILLIS) => Kind::Times(DAY_MILLIS),
        (Physical::INT64, ConvertedType::TIMESTAMP_MICROS) => Kind::Times(DAY_MILLIS * 1000),
        (Physical::INT96, _) => Kind::Times(DAY_MILLIS),
        (Physical::INT32 | Physical::INT64, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64) => {
            Kind::WholeUnsigned
        }
        (Physical::INT32, ConvertedType::NONE | ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32) => Kind::Whole,
        // A logical type without an old name is a time of day, or younger than this.
        (Physical::INT64, ConvertedType::INT_64) => Kind::Whole,
        (Physical::INT64, ConvertedType::NONE) if leaf.logical_type_ref().is_none() => Kind::Whole,
        (Physical::FLOAT | Physical::DOUBLE, _) => Kind::Number,
        (Physical::BOOLEAN, _) => Kind::Truth,
        _ => return None,
    })
}

impl Column {
    /// Puts what the next records have in this column into them.
    pub(super) fn read_into(&self, records: &mut [Map<String, Value>], reader: &mut ColumnReader) -> Result<()> {
        let cells = self.cells(reader, records.len())?;
        for (record, cell) in records.iter_mut().zip(cells) {
            match (cell, &self.shape) {
                (Value::Null, _) => {}
                (Value::Array(values), Shape::ListOf(key, _)) => put_members(record, (&self.name, key), values),
                (Value::Array(mut values), _) => {
                    values.retain(|value| !value.is_null());
                    record.insert(self.name.clone(), Value::Array(values));
                }
                (value, _) => {
                    record.insert(self.name.clone(), value);
                }
            }
        }
        Ok(())
    }

    /// A value for each of so many records: null, one, or those of a list.
    fn cells(&self, reader: &mut ColumnReader, count: usize) -> Result<Vec<Value>> {
        match (reader, self.kind) {
            (ColumnReader::ByteArrayColumnReader(reader), _) => self.typed(reader, count, |text: ByteArray| text_value(&text)),
            (ColumnReader::Int32ColumnReader(reader), Kind::Days) => self.typed(reader, count, |days| day(i64::from(days))),
            (ColumnReader::Int32ColumnReader(reader), Kind::WholeUnsigned) => self.typed(reader, count, |n| Value::from(n.cast_unsigned())),
            (ColumnReader::Int32ColumnReader(reader), _) => self.typed(reader, count, Value::from),
            (ColumnReader::Int64ColumnReader(reader), Kind::Times(a_day)) => self.typed(reader, count, |time| day(time.div_euclid(a_day))),
            (ColumnReader::Int64ColumnReader(reader), Kind::WholeUnsigned) => self.typed(reader, count, |n| Value::from(n.cast_unsigned())),
            (ColumnReader::Int64ColumnReader(reader), _) => self.typed(reader, count, Value::from),
            (ColumnReader::Int96ColumnReader(reader), _) => self.typed(reader, count, |time| day(time.to_millis().div_euclid(DAY_MILLIS))),
            (ColumnReader::FloatColumnReader(reader), _) => self.typed(reader, count, |x| number(f64::from(x))),
            (ColumnReader::DoubleColumnReader(reader), _) => self.typed(reader, count, number),
            (ColumnReader::BoolColumnReader(reader), _) => self.typed(reader, count, Value::from),
            (ColumnReader::FixedLenByteArrayColumnReader(_), _) => unreachable!("no column of bytes is read"),
        }
    }

    fn typed<T: DataType>(&self, reader: &mut ColumnReaderImpl<T>, count: usize, value: impl Fn(T::T) -> Value) -> Result<Vec<Value>> {
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (read, ..) = reader.read_records(count, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
        if read < count {
            return Err(ParquetError::EOF(format!("the column {:?} ends before the others", self.name)));
        }
        if self.full == 0 {
            return Ok(values.into_iter().map(value).collect());
        }
        let mut values = values.into_iter();
        let mut next = |definition| if definition == self.full { values.next().map_or(Value::Null, &value) } else { Value::Null };
        let (Shape::List(entry) | Shape::ListOf(_, entry)) = self.shape else {
            return Ok(definitions.into_iter().map(next).collect());
        };
        let mut lists: Vec<Vec<Value>> = Vec::with_capacity(count);
        for (definition, repetition) in definitions.into_iter().zip(repetitions) {
            if repetition == 0 {
                lists.push(Vec::new());
            }
            if let (true, Some(list)) = (definition >= entry, lists.last_mut()) {
                list.push(next(definition));
            }
        }
        Ok(lists.into_iter().map(Value::Array).collect())
    }
}

/// The columns of a list of records come one by one.
fn put_members(record: &mut Map<String, Value>, (name, key): (&String, &String), values: Vec<Value>) {
    let list = record.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else { return };
    list.resize_with(values.len().max(list.len()), || Value::Object(Map::new()));
    for (member, value) in list.iter_mut().zip(values) {
        if let Value::Object(member) = member {
            member.insert(key.clone(), value);
        }
    }
}

fn text_value(text: &ByteArray) -> Value {
    Value::String(String::from_utf8_lossy(text.data()).into_owned())
}

/// A day by its number from 1970-01-01; null where there is no such.
fn day(number: i64) -> Value {
    let day = Span::new().try_days(number).ok().and_then(|days| Date::constant(1970, 1, 1).checked_add(days).ok());
    day.map_or(Value::Null, |day| Value::String(day.to_string()))
}

/// A whole number stays one: where some are missing, many a program makes floats of all.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < MAX_WHOLE { Value::from(x as i64) } else { Value::from(x) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn read_of(schema: &str) -> Vec<String> {
        let schema = parse_message_type(&format!("message m {{ {schema} }}")).unwrap();
        let shape = |column: Column| match column.shape {
            Shape::One => format!("{}: {:?}", column.name, column.kind),
            Shape::List(_) => format!("{}: list", column.name),
            Shape::ListOf(key, _) => format!("{}: list of {key}", column.name),
        };
        columns(&SchemaDescriptor::new(Arc::new(schema))).into_iter().map(shape).collect()
    }

    #[test]
    fn columns_that_a_paper_may_be_made_of_are_read_and_no_others() {
        let cases: [(&str, &[&str]); 16] = [
            ("required binary a (STRING); optional binary b (UTF8); optional binary c;", &["a: Text", "b: Text"]),
            ("optional int32 a; optional int64 b (INTEGER(64,false)); optional int32 c (DECIMAL(5,2));", &["a: Whole", "b: WholeUnsigned"]),
            ("optional float a; optional double b; optional boolean c;", &["a: Number", "b: Number", "c: Truth"]),
            ("optional int32 a (DATE); optional int96 b;", &["a: Days", "b: Times(86400000)"]),
            ("optional int64 a (TIMESTAMP(NANOS,true)); optional int64 b (TIME(NANOS,true));", &["a: Times(86400000000000)"]),
            ("optional int64 a (TIMESTAMP_MICROS); optional int32 b (TIME_MILLIS);", &["a: Times(86400000000)"]),
            ("optional group a (LIST) { repeated group list { optional binary element (STRING); } }", &["a: list"]),
            ("optional group a (LIST) { repeated binary array (UTF8); }", &["a: list"]),
            ("repeated binary a (UTF8);", &["a: list"]),
            ("repeated group a { required binary name (UTF8); optional binary id (UTF8); }", &["a: list of name", "a: list of id"]),
            (
                "optional group a (LIST) { repeated group list { optional group element { optional binary name (UTF8); optional double x; } } }",
                &["a: list of name"],
            ),
            ("optional group a (LIST) { repeated group array { required binary name (UTF8); required int64 n; } }", &["a: list of name"]),
            ("optional group v (LIST) { repeated group list { required float element; } }", &[]),
            ("optional group a (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }", &[]),
            ("optional group a { optional binary title (UTF8); repeated binary names (UTF8); }", &[]),
            (
                "optional group a (LIST) { repeated group list { optional group element (LIST) { repeated group list { optional binary element (UTF8); } } } }",
                &[],
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(read_of(schema), expected, "{schema}");
        }
    }

    #[test]
    fn days_and_numbers_are_written_as_a_record_has_them() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(-1), "1969-12-31");
        assert_eq!((-1_i64).div_euclid(DAY_MILLIS), -1);
        assert_eq!(day(19_782), "2024-02-29");
        assert_eq!((day(i64::MAX), day(10_000_000)), (Value::Null, Value::Null));
        assert_eq!((number(12.0), number(1.5), number(f64::NAN)), (Value::from(12), Value::from(1.5), Value::Null));
    }
}
