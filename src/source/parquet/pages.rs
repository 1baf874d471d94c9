//! The pages of one column: Zstandard unpacked without a C library, and what would take memory without end refused.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};

use crate::source::unpack::Frames;

/// A page may have this many bytes when it is unpacked; they are 1 MiB as a rule.
const MAX_PAGE: u64 = 1 << 30;

/// A file behind whose end is an error. The crate goes on skipping there what the head of a page says is to come, which
/// may be two thousand million values.
pub(super) struct Ended<F>(pub(super) F);

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 if !out.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl Length for Ended<File> {
    fn len(&self) -> u64 {
        Length::len(&self.0)
    }
}

impl ChunkReader for Ended<File> {
    type T = Ended<BufReader<File>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.0.get_read(start).map(Ended)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// The name of what pages are packed with, if it is not read.
pub(super) fn unread(packed: Compression) -> Option<&'static str> {
    match packed {
        Compression::LZO => Some("LZO"),
        Compression::BROTLI(_) => Some("Brotli"),
        _ => None,
    }
}

/// The pages of a group's column.
pub(super) fn pages(file: &Arc<Ended<File>>, group: &RowGroupMetaData, at: usize) -> Result<Box<dyn PageReader>> {
    let mut column = group.column(at).clone();
    let is_zstd = matches!(column.compression(), Compression::ZSTD(_));
    if is_zstd {
        // The crate unpacks Zstandard with a C library or not at all; what it takes for unpacked it hands over as it is.
        column = column.into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
    }
    let most_values = u64::try_from(column.num_values())?;
    let inner = SerializedPageReader::new(Arc::clone(file), &column, usize::try_from(group.num_rows())?, None)?;
    Ok(Box::new(Pages { inner, is_zstd, most_values }))
}

struct Pages {
    inner: SerializedPageReader<Ended<File>>,
    is_zstd: bool,
    /// How many the column has, with its nulls.
    most_values: u64,
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.inner.get_next_page()? else { return Ok(None) };
        let page = if self.is_zstd { unpacked(page)? } else { page };
        // Room is made for as many before they are looked for.
        let most_values = if page.is_data_page() { self.most_values } else { page.buffer().len() as u64 };
        if u64::from(page.num_values()) > most_values {
            return Err(ParquetError::General("a page tells of more values than there are".to_owned()));
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// The page with what is packed in it unpacked. In the second form of a page the levels stand before it as they are.
fn unpacked(mut page: Page) -> Result<Page> {
    let (buf, plain) = match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => (buf, 0),
        Page::DataPageV2 { is_compressed: false, .. } => return Ok(page),
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            (buf, *def_levels_byte_len as usize + *rep_levels_byte_len as usize)
        }
    };
    let Some((levels, packed)) = buf.split_at_checked(plain) else {
        return Err(ParquetError::General("a page is shorter than its levels".to_owned()));
    };
    let mut bytes = levels.to_vec();
    Frames::new(packed).take(MAX_PAGE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PAGE {
        return Err(ParquetError::General(format!("a page is longer than {} MiB", MAX_PAGE >> 20)));
    }
    *buf = bytes.into();
    Ok(page)
}
