//! The index as words of 32 bits, little-endian: what stands in the file is what is searched, in place.
//!
//! ```text
//! block 0         header: magic, version, what it was built from and how, where each section is, its own checksum
//! section         labels     two words a row: the number that the caller gave it, 0 once it was removed
//!                 order      the rows by label
//!                 codes      a row each, see codes.rs
//!                 halves     the vectors as f16, two a word
//!                 lists      2M rows near each row; -1 where there is none; empty without a graph
//!                 levels     for each level above 0: how many rows are in it, which, and M near each
//!                 strays     rows that the graph does not find; they are compared one by one
//!                 checksums  CRC-32 of each block of 4 KiB before this section
//! ```
//!
//! Each section begins at a block. A header that is wrong is refused at once; any other block is checked when it is
//! first touched, so that opening costs nothing however large the file is.

use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::codes::Shape;
use crate::error::{Error, Result};
use crate::kernel::{Aligned, Mapped};

/// Words a block.
const BLOCK: usize = 1024;
const MAGIC: [u8; 8] = *b"pkinindx";
/// Grows with every change of the format.
const VERSION: i32 = 1;
/// Where the header's own checksum stands.
const SEAL: usize = BLOCK - 1;
/// Where the table of sections begins in the header: two words for the first word of each, two for their number.
const TABLE: usize = 32;

/// What an index was built from, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) state: u64,
    pub(super) rows: usize,
    pub(super) dim: usize,
    /// Neighbours a row in the levels above 0; 0 without a graph.
    pub(super) m: usize,
    pub(super) ef_construction: usize,
    /// Where a search begins.
    pub(super) entry: u32,
    /// The largest of the codes' scales.
    pub(super) largest_scale: f32,
    /// Rows that the graph was built of, before others were linked into it.
    pub(super) built: usize,
    /// Rows without a label.
    pub(super) gone: usize,
}

/// In the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Labels,
    Order,
    Codes,
    Halves,
    Lists,
    Levels,
    Strays,
    Checksums,
}

const SECTIONS: usize = 8;

/// The sections but the last, as they are put together.
pub(super) type Contents<'a> = [&'a [i32]; SECTIONS - 1];

enum Words {
    Owned(Aligned<i32>),
    Mapped(Mapped),
}

impl Deref for Words {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        match self {
            Self::Owned(words) => words,
            Self::Mapped(words) => words,
        }
    }
}

/// The words, and which blocks were found to be whole.
pub(super) struct Image {
    words: Words,
    header: Header,
    sections: [(usize, usize); SECTIONS],
    /// A bit for each block; none where nothing can have happened to the words.
    checked: Vec<AtomicU64>,
}

impl Image {
    pub(super) fn new(header: Header, contents: Contents<'_>) -> Self {
        let mut sections = [(0, 0); SECTIONS];
        let mut end = BLOCK;
        for (section, words) in sections.iter_mut().zip(contents) {
            *section = (end, words.len());
            end += words.len().next_multiple_of(BLOCK);
        }
        sections[SECTIONS - 1] = (end, end / BLOCK - 1);
        let mut words = Aligned::new(end + (end / BLOCK - 1).next_multiple_of(BLOCK));
        for (&(start, len), content) in sections.iter().zip(contents) {
            words[start..][..len].copy_from_slice(content);
        }
        for block in 1..end / BLOCK {
            words[end + block - 1] = checksum(&words[block * BLOCK..][..BLOCK]);
        }
        write_header(&mut words, &header, &sections);
        Self { words: Words::Owned(words), header, sections, checked: Vec::new() }
    }

    /// Takes a file's words; everything but the header's block and the table of checksums is left for later.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`] says what is wrong.
    pub(super) fn open(words: Mapped) -> Result<Self> {
        let (header, sections) = read_header(&words)?;
        let (start, len) = sections[Section::Checksums as usize];
        if checksum(&words[start..][..len.next_multiple_of(BLOCK)]) != words[SEAL - 1] {
            return Err(damaged("the checksums do not agree with their own"));
        }
        let checked = (0..(start / BLOCK).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { words: Words::Mapped(words), header, sections, checked })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn shape(&self) -> Shape {
        Shape { dim: self.header.dim }
    }

    /// All words, as they are written to a file.
    pub(super) fn words(&self) -> &[i32] {
        &self.words
    }

    /// A section, without a look at its blocks.
    pub(super) fn unchecked(&self, section: Section) -> &[i32] {
        let (start, len) = self.sections[section as usize];
        &self.words[start..][..len]
    }

    /// A section, every block of which is whole.
    pub(super) fn section(&self, section: Section) -> Result<&[i32]> {
        self.part(section, 0..self.sections[section as usize].1)
    }

    /// Words of a section whose blocks are whole.
    #[inline]
    pub(super) fn part(&self, section: Section, range: Range<usize>) -> Result<&[i32]> {
        self.check(section, range.clone())?;
        Ok(&self.unchecked(section)[range])
    }

    /// Looks at the blocks in which these words stand, unless that was done before.
    #[inline]
    pub(super) fn check(&self, section: Section, range: Range<usize>) -> Result<()> {
        if self.checked.is_empty() || range.is_empty() {
            return Ok(());
        }
        let start = self.sections[section as usize].0;
        for block in (start + range.start) / BLOCK..(start + range.end).div_ceil(BLOCK) {
            if self.checked[block / 64].load(Relaxed) >> (block % 64) & 1 == 0 {
                self.check_block(block)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn check_block(&self, block: usize) -> Result<()> {
        let expected = self.unchecked(Section::Checksums)[block - 1];
        if checksum(&self.words[block * BLOCK..][..BLOCK]) != expected {
            return Err(damaged(format!("block {block} does not agree with its checksum")));
        }
        self.checked[block / 64].fetch_or(1 << (block % 64), Relaxed);
        Ok(())
    }

    /// Looks at every block.
    pub(super) fn check_all(&self) -> Result<()> {
        use Section::*;
        [Labels, Order, Codes, Halves, Lists, Levels, Strays].into_iter().try_for_each(|section| {
            let len = self.sections[section as usize].1;
            self.check(section, 0..len.next_multiple_of(BLOCK))
        })
    }
}

pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::IndexDamaged { what: what.into() }
}

fn checksum(words: &[i32]) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    let mut bytes = [0; 4 * BLOCK];
    for words in words.chunks(BLOCK) {
        let bytes = &mut bytes[..4 * words.len()];
        bytes.chunks_exact_mut(4).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
        crc.update(bytes);
    }
    crc.finalize() as i32
}

fn write_header(words: &mut [i32], header: &Header, sections: &[(usize, usize); SECTIONS]) {
    let (start, len) = sections[Section::Checksums as usize];
    let seal_of_checksums = checksum(&words[start..][..len.next_multiple_of(BLOCK)]);
    let halves = |x: u64| [x as i32, (x >> 32) as i32];
    words[..2].copy_from_slice(&magic());
    words[2] = VERSION;
    words[3] = header.dim as i32;
    words[4..6].copy_from_slice(&halves(header.state));
    words[6] = header.rows as i32;
    words[7] = header.m as i32;
    words[8] = header.ef_construction as i32;
    words[9] = header.entry as i32;
    words[10] = header.largest_scale.to_bits() as i32;
    words[11] = header.built as i32;
    words[12] = header.gone as i32;
    for (i, &(start, len)) in sections.iter().enumerate() {
        words[TABLE + 4 * i..][..2].copy_from_slice(&halves(start as u64));
        words[TABLE + 4 * i + 2..][..2].copy_from_slice(&halves(len as u64));
    }
    words[SEAL - 1] = seal_of_checksums;
    words[SEAL] = checksum(&words[..SEAL]);
}

fn magic() -> [i32; 2] {
    let word = |at: usize| i32::from_le_bytes([MAGIC[at], MAGIC[at + 1], MAGIC[at + 2], MAGIC[at + 3]]);
    [word(0), word(4)]
}

fn read_header(words: &[i32]) -> Result<(Header, [(usize, usize); SECTIONS])> {
    // Without rows there is nothing behind the header.
    if words.len() < BLOCK || words[..2] != magic() {
        return Err(damaged("it does not begin as an index does"));
    }
    if words[2] != VERSION {
        return Err(damaged(format!("it has format {}, and this program writes {VERSION}", words[2])));
    }
    if checksum(&words[..SEAL]) != words[SEAL] {
        return Err(damaged("its header does not agree with its checksum"));
    }
    let number = |at: usize| words[at] as u32 as usize;
    let long = |at: usize| number(at) as u64 | (number(at + 1) as u64) << 32;
    let header = Header {
        dim: number(3),
        state: long(4),
        rows: number(6),
        m: number(7),
        ef_construction: number(8),
        entry: words[9] as u32,
        largest_scale: f32::from_bits(words[10] as u32),
        built: number(11),
        gone: number(12),
    };
    let mut sections = [(0, 0); SECTIONS];
    let mut end = BLOCK;
    for (i, section) in sections.iter_mut().enumerate() {
        *section = (long(TABLE + 4 * i) as usize, long(TABLE + 4 * i + 2) as usize);
        if section.0 != end || section.1 > words.len() {
            return Err(damaged("its sections are not where they should be"));
        }
        end += section.1.next_multiple_of(BLOCK);
    }
    if end != words.len() {
        return Err(damaged(format!("it has {} bytes, and {} were expected", 4 * words.len(), 4 * end)));
    }
    // Nothing below can be too large for a word count then.
    if !header.largest_scale.is_finite() || header.rows > words.len() || header.m > 1 << 16 || header.dim > 1 << 24 {
        return Err(damaged("its header makes no sense"));
    }
    let shape = Shape { dim: header.dim };
    let rows = header.rows;
    let lists = if header.m == 0 { 0 } else { rows * 2 * header.m };
    let expected = [2 * rows, rows, rows * shape.stride(), rows * header.dim.div_ceil(2), lists];
    let blocks = sections[Section::Checksums as usize].0 / BLOCK - 1;
    let agrees = sections.iter().zip(expected).all(|(section, expected)| section.1 == expected);
    if !agrees || header.dim == 0 || sections[Section::Checksums as usize].1 != blocks {
        return Err(damaged("its sections have not the sizes that its header says"));
    }
    Ok((header, sections))
}
