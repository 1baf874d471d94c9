//! Parquet: the rows of a table, each as the JSON object of its columns, and so as any other record.
//!
//! The end of the file says where everything is, so that what comes through a pipe, or packed, is kept in a temporary file
//! first. In memory are a page a column, and the records at hand.

mod column;
mod pages;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use serde_json::{Map, Value};

use super::{Failure, Item, unreadable};
use crate::error::{Error, Result};
use crate::paper::Paper;
use column::Column;
use pages::Ended;

/// So many records are put together at a time.
const RECORDS: usize = 128;

const MAGIC: &[u8; 4] = b"PAR1";
/// The last bytes of a file whose end is encrypted.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// Reads a Parquet file; a record becomes a paper by `paper_of`, which says why it is none.
pub(super) fn read<'a>(
    origin: &str,
    input: impl BufRead,
    paper_of: impl Fn(Map<String, Value>) -> Result<Paper, String> + 'a,
) -> Result<impl Iterator<Item = Result<Item>> + 'a> {
    let file = kept(origin, input)?;
    let metadata = metadata(origin, &file)?;
    let columns = column::columns(metadata.file_metadata().schema_descr());
    if columns.is_empty() {
        return Err(unreadable(origin, "the Parquet file has no column that papers could be read from"));
    }
    let packed = metadata.row_groups().iter().flat_map(|group| columns.iter().map(|column| group.column(column.at).compression()));
    if let Some(other) = packed.filter_map(pages::unread).next() {
        return Err(Error::Unreadable {
            origin: origin.to_owned(),
            what: format!("the Parquet file is packed with {other}"),
            hint: Some("paperkin reads those packed with Snappy, gzip, Zstandard, LZ4 or not at all".to_owned()),
        });
    }
    let rows = Rows { file: Arc::new(Ended(file)), metadata, columns, readers: Vec::new(), group: 0, left: 0 };
    Ok(items(origin.to_owned(), rows, paper_of))
}

fn items<'a>(
    origin: String,
    mut rows: Rows,
    paper_of: impl Fn(Map<String, Value>) -> Result<Paper, String> + 'a,
) -> impl Iterator<Item = Result<Item>> + 'a {
    let (mut number, mut records, mut is_over) = (0u64, Vec::new().into_iter(), false);
    std::iter::from_fn(move || {
        if records.len() == 0 && !is_over {
            match guarded(|| rows.next_records()) {
                Ok(read) => records = read.into_iter(),
                Err(what) => {
                    is_over = true;
                    return Some(Err(unreadable(&origin, what)));
                }
            }
        }
        let Some(record) = records.next() else {
            is_over = true;
            return None;
        };
        number += 1;
        Some(Ok(match paper_of(record) {
            Ok(paper) => Item::Paper(Box::new(paper)),
            Err(reason) => Item::Failed(Failure { place: format!("{origin}: record {number}"), reason }),
        }))
    })
}

/// The whole input as a file that nobody else sees and that is gone with its handle.
fn kept(origin: &str, mut input: impl BufRead) -> Result<File> {
    let own = |e| Error::io("cannot write a temporary file for", origin.as_ref(), e);
    let mut file = tempfile::tempfile().map_err(own)?;
    loop {
        let part = match input.fill_buf() {
            Ok([]) => return Ok(file),
            Ok(part) => part,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io("cannot read", origin.as_ref(), e)),
        };
        file.write_all(part).map_err(own)?;
        let length = part.len();
        input.consume(length);
    }
}

fn metadata(origin: &str, mut file: &File) -> Result<ParquetMetaData> {
    let own = |e| Error::io("cannot read the temporary file for", origin.as_ref(), e);
    let (mut first, mut last) = ([0; 4], [0; 4]);
    let length = file.seek(SeekFrom::End(0)).map_err(own)?;
    if length >= 12 {
        file.seek(SeekFrom::Start(0)).map_err(own)?;
        file.read_exact(&mut first).map_err(own)?;
        file.seek(SeekFrom::End(-4)).map_err(own)?;
        file.read_exact(&mut last).map_err(own)?;
    }
    match (&first, &last) {
        (MAGIC, MAGIC) => guarded(|| ParquetMetaDataReader::new().parse_and_finish(file)).map_err(|what| unreadable(origin, what)),
        (MAGIC | ENCRYPTED, ENCRYPTED) => Err(unreadable(origin, "the Parquet file is encrypted")),
        (MAGIC, _) => Err(unreadable(origin, "the Parquet file is cut off: its end, which says where everything is, is missing")),
        _ => Err(unreadable(origin, "this is no Parquet file")),
    }
}

/// The rows of a file, group by group.
struct Rows {
    file: Arc<Ended<File>>,
    metadata: ParquetMetaData,
    columns: Vec<Column>,
    /// Of the open group, one a column.
    readers: Vec<ColumnReader>,
    /// The group that is opened next.
    group: usize,
    /// Rows of the open group that have not been read.
    left: usize,
}

impl Rows {
    /// The next records; none at the end.
    fn next_records(&mut self) -> Result<Vec<Map<String, Value>>, ParquetError> {
        while self.left == 0 {
            if self.group == self.metadata.num_row_groups() {
                return Ok(Vec::new());
            }
            self.open_group()?;
        }
        let mut records = vec![Map::new(); self.left.min(RECORDS)];
        for (column, reader) in self.columns.iter().zip(&mut self.readers) {
            column.read_into(&mut records, reader)?;
        }
        self.left -= records.len();
        Ok(records)
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.metadata.row_group(self.group);
        self.readers.clear();
        for column in &self.columns {
            let pages = pages::pages(&self.file, group, column.at)?;
            self.readers.push(get_column_reader(group.column(column.at).column_descr_ptr(), pages));
        }
        self.left = usize::try_from(group.num_rows())?;
        self.group += 1;
        Ok(())
    }
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The crate's answer, or what is wrong with the file.
///
/// The crate panics on some damaged files, one in four hundred of those that random bytes were put into: it takes lengths
/// inside a page, and places in the file, for good. Nobody needs to hear of such a panic but by the error.
fn guarded<T>(ask: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                tell(panic);
            }
        }));
    });
    IS_GUARDED.set(true);
    // Nobody looks again at what a panic leaves behind: it is the end of the input.
    let answer = panic::catch_unwind(AssertUnwindSafe(ask));
    IS_GUARDED.set(false);
    let what = match answer {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(ParquetError::General(what) | ParquetError::EOF(what) | ParquetError::NYI(what))) => what,
        Ok(Err(ParquetError::External(what))) => what.to_string(),
        Ok(Err(other)) => other.to_string(),
        Err(_) => "a length in it is wrong".to_owned(),
    };
    Err(format!("the Parquet file is damaged, or holds what paperkin does not know: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_come_behind_the_end_is_not_waited_for() {
        let mut bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/plain.parquet")).unwrap();
        let read = |bytes: &[u8]| read("x", bytes, |_| Ok(Paper::default()))?.collect::<Result<Vec<_>>>();
        assert_eq!(read(&bytes).unwrap().len(), 6);
        // The head of the first page: an unknown field that is a list of 2³¹ - 1 numbers.
        bytes[4..11].copy_from_slice(&[0xf9, 0xf7, 0xff, 0xff, 0xff, 0xff, 0x07]);
        assert!(read(&bytes).is_err());
    }
}
