//! Papers as a Parquet table, one a row, which `source` reads back and data frames and databases too.
//!
//! The keys of the exchange format are its columns; days are days, and the vectors a list of floats each. The same papers make
//! the same bytes.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::exchange::is_verbatim;
use crate::error::{Error, Result};
use crate::paper::{Date, Paper, PaperId};

/// Papers of a group, which are in memory until it is written.
const GROUP: usize = 1000;
/// Bytes of texts and vectors after which a group is written with fewer.
const GROUP_BYTES: usize = 16 << 20;

/// The columns, in the order in which [`write_columns`] fills them.
const COLUMNS: &str = "
    required binary id (STRING);
    optional group ids (LIST) { repeated group list { required binary element (STRING); } }
    required binary title (STRING);
    required binary abstract (STRING);
    optional group authors (LIST) { repeated group list { required binary element (STRING); } }
    optional int32 authors_count;
    optional group categories (LIST) { repeated group list { required binary element (STRING); } }
    optional int32 published (DATE);
    optional int32 updated (DATE);
    optional int32 day (DATE);
    optional int32 upvotes;
    optional int32 comments;
    optional int32 version;
    optional binary url (STRING);
    optional binary doi (STRING);
    required boolean withdrawn;
    required boolean verbatim;
";
const VECTOR: &str = "optional group vector (LIST) { repeated group list { required float element; } }";

/// The columns whose values come again and again.
const REPEATING: [&str; 4] = ["categories.list.element", "published", "updated", "day"];

/// Writes papers one after the other; [`ParquetWriter::finish`] writes the end, without which there is no file.
///
/// ```
/// use paperkin::{paper::Paper, render::ParquetWriter};
/// let mut writer = ParquetWriter::new(Vec::new(), Some(2))?;
/// writer.write(&Paper { title: "On kinship".into(), ..Paper::default() }, Some(&[0.6, 0.8]))?;
/// assert!(writer.finish()?.starts_with(b"PAR1"));
/// # Ok::<(), paperkin::Error>(())
/// ```
pub struct ParquetWriter<W: Write + Send> {
    out: SerializedFileWriter<W>,
    dim: Option<usize>,
    group: Group,
}

/// What has not been written.
#[derive(Default)]
struct Group {
    papers: Vec<Paper>,
    vectors: Vec<Option<Vec<f32>>>,
    bytes: usize,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a table; with a `dim` it has a column of vectors of so many numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if writing fails.
    pub fn new(out: W, dim: Option<usize>) -> Result<Self> {
        let vector = if dim.is_some() { VECTOR } else { "" };
        let schema = parse_message_type(&format!("message paper {{ {COLUMNS} {vector} }}")).expect("the schema is valid");
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties())).map_err(failed)?;
        Ok(Self { out, dim, group: Group::default() })
    }

    /// Writes a paper, and its vector where it has one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if writing fails; [`Error::Usage`] if the vector has another length.
    pub fn write(&mut self, paper: &Paper, vector: Option<&[f32]>) -> Result<()> {
        let vector = match (self.dim, vector) {
            (Some(dim), Some(vector)) if vector.len() != dim => {
                return Err(Error::usage(format!("got a vector of {} numbers, expected {dim}", vector.len())));
            }
            (Some(_), vector) => vector,
            (None, _) => None,
        };
        let texts = paper.authors.iter().chain(&paper.categories).chain([&paper.title, &paper.abstract_text]);
        self.group.bytes += texts.map(String::len).sum::<usize>() + size_of_val(vector.unwrap_or_default());
        self.group.papers.push(paper.clone());
        self.group.vectors.push(vector.map(<[f32]>::to_vec));
        if self.group.papers.len() >= GROUP || self.group.bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left and the end of the file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if writing fails.
    pub fn finish(mut self) -> Result<W> {
        if !self.group.papers.is_empty() {
            self.write_group()?;
        }
        self.out.into_inner().map_err(failed)
    }

    fn write_group(&mut self) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        let mut out = self.out.next_row_group().map_err(failed)?;
        write_columns(&mut out, &group.papers).map_err(failed)?;
        if self.dim.is_some() {
            let vectors = group.vectors.iter().map(Option::as_deref);
            write_list::<FloatType, _>(&mut out, vectors.map(|vector| vector.map(|vector| vector.iter().copied()))).map_err(failed)?;
        }
        out.close().map_err(failed)?;
        Ok(())
    }
}

/// Nothing of the machine, the day or the version of a crate.
fn properties() -> WriterProperties {
    let plain = WriterProperties::builder()
        .set_created_by("paperkin".to_owned())
        .set_compression(Compression::SNAPPY)
        // The numbers of a vector do not get shorter.
        .set_column_compression("vector.list.element".into(), Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    REPEATING.into_iter().fold(plain, |properties, column| properties.set_column_dictionary_enabled(column.into(), true)).build()
}

fn failed(error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(error) => error.downcast::<std::io::Error>().map_or_else(std::io::Error::other, |error| *error),
        other => std::io::Error::other(other),
    };
    Error::io("cannot write", Path::new("the Parquet table"), error)
}

type Out<'a, W> = SerializedRowGroupWriter<'a, W>;
type Written = Result<(), ParquetError>;

fn write_columns<W: Write + Send>(out: &mut Out<'_, W>, papers: &[Paper]) -> Written {
    write_texts(out, papers.iter().map(|paper| paper.id().to_string()))?;
    write_list_of_texts(out, papers.iter().map(|paper| paper.ids.iter().map(PaperId::to_string)))?;
    write_texts(out, papers.iter().map(|paper| &paper.title))?;
    write_texts(out, papers.iter().map(|paper| &paper.abstract_text))?;
    write_list_of_texts(out, papers.iter().map(|paper| &paper.authors))?;
    write_counts(out, papers.iter().map(Paper::count_authors))?;
    write_list_of_texts(out, papers.iter().map(|paper| &paper.categories))?;
    write_days(out, papers.iter().map(|paper| paper.published))?;
    write_days(out, papers.iter().map(|paper| paper.updated))?;
    write_days(out, papers.iter().map(|paper| paper.day))?;
    write_counts(out, papers.iter().map(|paper| paper.upvotes))?;
    write_counts(out, papers.iter().map(|paper| paper.comments))?;
    write_counts(out, papers.iter().map(|paper| paper.version))?;
    write_some::<ByteArrayType, _>(out, papers.iter().map(|paper| paper.url.as_deref().map(ByteArray::from)))?;
    write_some::<ByteArrayType, _>(out, papers.iter().map(|paper| paper.doi().map(ByteArray::from)))?;
    let withdrawn: Vec<bool> = papers.iter().map(|paper| paper.withdrawn).collect();
    write_column::<BoolType, _>(out, &withdrawn, (None, None))?;
    let verbatim: Vec<bool> = papers.iter().map(is_verbatim).collect();
    write_column::<BoolType, _>(out, &verbatim, (None, None))
}

fn write_texts<W: Write + Send>(out: &mut Out<'_, W>, texts: impl Iterator<Item = impl AsRef<str>>) -> Written {
    let values: Vec<ByteArray> = texts.map(|text| text.as_ref().into()).collect();
    write_column::<ByteArrayType, _>(out, &values, (None, None))
}

fn write_counts<W: Write + Send>(out: &mut Out<'_, W>, counts: impl Iterator<Item = Option<u32>>) -> Written {
    write_some::<Int32Type, _>(out, counts.map(|count| count.map(|n| i32::try_from(n).unwrap_or(i32::MAX))))
}

/// A day is its number from 1970-01-01.
fn write_days<W: Write + Send>(out: &mut Out<'_, W>, days: impl Iterator<Item = Option<Date>>) -> Written {
    let number = |day: Date| (day - Date::constant(1970, 1, 1)).get_days();
    write_some::<Int32Type, _>(out, days.map(|day| day.map(number)))
}

fn write_list_of_texts<W: Write + Send>(out: &mut Out<'_, W>, lists: impl Iterator<Item = impl IntoIterator<Item = impl AsRef<str>>>) -> Written {
    write_list::<ByteArrayType, _>(out, lists.map(|list| Some(list.into_iter().map(|text| ByteArray::from(text.as_ref())))))
}

/// A column whose values may be missing: the level is 1 where there is one.
fn write_some<T: DataType, W: Write + Send>(out: &mut Out<'_, W>, values: impl Iterator<Item = Option<T::T>>) -> Written {
    let (mut levels, mut there) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    write_column::<T, _>(out, &there, (Some(&levels), None))
}

/// A column of lists: the level is 0 where there is no list, 1 where it is empty, 2 for an entry; what goes on with a list has
/// the repetition 1.
fn write_list<T: DataType, W: Write + Send>(out: &mut Out<'_, W>, lists: impl Iterator<Item = Option<impl IntoIterator<Item = T::T>>>) -> Written {
    let (mut levels, mut repetitions, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        let (before, is_there) = (entries.len(), list.is_some());
        entries.extend(list.into_iter().flatten());
        let length = entries.len() - before;
        levels.extend(if length == 0 { vec![i16::from(is_there)] } else { vec![2; length] });
        repetitions.push(0);
        repetitions.extend((1..length).map(|_| 1));
    }
    write_column::<T, _>(out, &entries, (Some(&levels), Some(&repetitions)))
}

fn write_column<T: DataType, W: Write + Send>(
    out: &mut Out<'_, W>,
    values: &[T::T],
    (levels, repetitions): (Option<&[i16]>, Option<&[i16]>),
) -> Written {
    let mut column = out.next_column()?.ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, repetitions)?;
    column.close()
}
