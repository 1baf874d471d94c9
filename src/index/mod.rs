//! Vectors to nearest rows: an exact scan over codes, and a graph for where there are too many rows for that.
//!
//! ```text
//! vectors ─▶ codes (a byte a number) ─ scan, every row ────▶ candidates ─ as f16 ─▶ nearest rows
//!                                    └ graph, a walk ──────▶
//! ```
//!
//! The naive search multiplies the query with every vector. Codes are a quarter of the bytes, which is what a scan waits
//! for; how far a code's cosine may be off is known, so that the rows that could be among the nearest are few, and the
//! scan loses none. Vectors have length 1, so that the inner product is the cosine. A row is a number here, with a label
//! that the caller gave it; never a paper or a path.
//!
//! What changed after an index was built stands beside it: labels that are gone, and a tail of new rows, which is searched
//! exactly. Both can be taken into the graph, which is built anew only once much has changed.
//!
//! | file | what it does |
//! |---|---|
//! | `codes` | vectors as bytes |
//! | `scan` | every row |
//! | `neighbours` | the neighbours of every row |
//! | `graph` | the walk |
//! | `build`, `link` | the graph, by `hnsw_rs`; mending it and adding to it |
//! | `merge` | what changed after a build |
//! | `rows` | sets of rows |
//! | `image` | all of it as the bytes of a file, searched in place |
//! | `rank` | the order of answers |

mod build;
mod codes;
mod graph;
mod image;
mod link;
mod merge;
mod neighbours;
mod rank;
mod rows;
mod scan;

use std::fs::File;
use std::io::Write;
use std::str::FromStr;
use std::sync::Mutex;

use half::f16;

use crate::error::{Error, Result};
use crate::kernel::{Instructions, Mapped, from_halves};
use crate::vector::{RowId, Vectors, dot};
use codes::{Code, Shape};
use graph::{Graph, Level, Room};
use image::{Header, Image, Section, damaged};
use link::{Coded, Links};
use rank::Rank;

pub use build::Build;
pub use rank::Neighbour;
pub use rows::RowSet;

/// Vectors ready to be searched.
pub struct Index {
    image: Image,
    /// Rows of the image that still stand for their label.
    live: RowSet,
    /// Rows behind those of the image.
    tail: Option<Box<Index>>,
    instructions: Instructions,
    /// What searches need while they search.
    rooms: Mutex<Vec<Room>>,
}

/// How to look for the nearest rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// In the graph if there is one and the filter leaves enough, else exactly.
    #[default]
    Auto,
    /// Compare every row.
    Exact,
    /// Walk the graph and keep so many candidates (ef); more find more.
    Graph(usize),
}

impl Search {
    /// In the graph, with as many candidates as [`Self::Auto`] keeps.
    pub const HNSW: Self = Self::Graph(EF);
}

impl FromStr for Search {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "exact" => Ok(Self::Exact),
            "hnsw" => Ok(Self::HNSW),
            other => Err(Error::usage(format!("no search {other:?}; expected auto, exact or hnsw"))),
        }
    }
}

/// What an index is built from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Each of length 1.
    pub vectors: &'a Vectors,
    /// A number for each vector, above 0, none of them twice.
    pub labels: &'a [i64],
    /// What the caller will know the rows' state by.
    pub state: u64,
}

/// Candidates of a walk, unless the caller says.
const EF: usize = 192;

impl Index {
    /// Builds an index, with a graph if `graph` says how.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there are more rows than an index can number.
    pub fn build(source: Source<'_>, graph: Option<Build>) -> Result<Self> {
        let Source { vectors, labels, state } = source;
        assert_eq!(vectors.len(), labels.len());
        if vectors.len() > i32::MAX as usize {
            return Err(Error::usage(format!("an index of {} rows; it has at most {}", vectors.len(), i32::MAX)));
        }
        let (shape, instructions) = (Shape { dim: vectors.dim() }, Instructions::best());
        let mut codes = Vec::with_capacity(vectors.len() * shape.stride());
        let mut halves = Vec::with_capacity(vectors.len() * shape.dim.div_ceil(2));
        for row in vectors.rows() {
            let half: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
            codes.extend(Code::new(shape, &half.iter().map(|x| x.to_f32()).collect::<Vec<_>>()).row);
            halves.extend(half.chunks(2).map(|pair| i32::from(pair[0].to_bits()) | i32::from(pair.get(1).map_or(0, |x| x.to_bits())) << 16));
        }
        let links = match graph {
            Some(how) if !labels.is_empty() => Some(build::build(Coded { shape, codes: &codes, instructions }, how)?),
            _ => None,
        };
        let header = Header {
            state,
            rows: labels.len(),
            dim: shape.dim,
            m: links.as_ref().map_or(0, |links| links.m),
            ef_construction: graph.map_or(0, |how| how.ef_construction),
            entry: links.as_ref().map_or(0, |links| links.entry),
            largest_scale: codes.chunks_exact(shape.stride()).map(codes::scale).fold(0.0, f32::max),
            built: labels.len(),
            gone: 0,
        };
        Self::of(put_together(header, labels, [&codes, &halves], links.as_ref()))
    }

    fn of(image: Image) -> Result<Self> {
        let mut live = RowSet::all(image.header().rows);
        if image.header().gone > 0 {
            let labels = image.section(Section::Labels)?.chunks_exact(2).map(label).enumerate();
            labels.filter(|(_, label)| *label == 0).for_each(|(row, _)| live.remove(RowId(row as u32)));
        }
        Ok(Self { image, live, tail: None, instructions: Instructions::best(), rooms: Mutex::default() })
    }

    /// Opens what [`Self::write`] wrote. Its head is checked now, the labels too if some are gone, and each other block when it
    /// is first needed.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`] if it is no index, or of another version, or was cut or changed.
    pub fn open(file: &File) -> Result<Self> {
        let mapped = Mapped::new(file).map_err(|e| damaged(format!("it cannot be mapped: {e}")))?;
        Image::open(mapped).and_then(Self::of)
    }

    /// Writes all of it. A tail has to be [`Self::merged`] before.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        assert!(self.tail.is_none());
        self.image.words().iter().try_for_each(|word| to.write_all(&word.to_le_bytes()))
    }

    /// Looks at every block.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`] names the first that is not what was written.
    pub fn verify(&self) -> Result<()> {
        self.image.check_all()
    }

    /// Rows, also those that stand for nothing any more.
    pub fn len(&self) -> usize {
        self.image.header().rows + self.tail.as_ref().map_or(0, |tail| tail.len())
    }

    /// Rows that stand for their label.
    pub fn live(&self) -> usize {
        self.live.len() + self.tail.as_ref().map_or(0, |tail| tail.live())
    }

    /// True if no row stands for anything.
    pub fn is_empty(&self) -> bool {
        self.live() == 0
    }

    /// Numbers a vector.
    pub fn dim(&self) -> usize {
        self.image.header().dim
    }

    /// What the caller said when it was built.
    pub fn state(&self) -> u64 {
        self.image.header().state
    }

    /// True if there is a graph.
    pub fn has_graph(&self) -> bool {
        self.image.header().m > 0
    }

    /// The label of a row.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`].
    pub fn label(&self, row: RowId) -> Result<i64> {
        match self.in_tail(row) {
            Some((tail, row)) => tail.label(row),
            None => self.image.part(Section::Labels, 2 * row.index()..2 * row.index() + 2).map(label),
        }
    }

    /// The row with a label, which is above 0; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`].
    pub fn row_of(&self, wanted: i64) -> Result<Option<RowId>> {
        let (mut low, mut high) = (0, self.image.header().rows);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = self.row_in_order(middle)?;
            match self.label(row)?.cmp(&wanted) {
                std::cmp::Ordering::Equal if self.live.contains(row) => return Ok(Some(row)),
                std::cmp::Ordering::Equal => break,
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        let of_tail = self.tail.as_ref().map(|tail| tail.row_of(wanted)).transpose()?.flatten();
        Ok(of_tail.map(|row| self.behind(row)))
    }

    /// The rows with these labels, which are above 0 and ascending.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`].
    pub fn rows_of(&self, labels: &[i64]) -> Result<RowSet> {
        let mut rows = RowSet::none(self.len());
        let in_order = self.image.header().rows;
        // Looking for each is faster than passing by all only if they are few.
        if labels.len() < in_order / 16 || self.tail.is_some() {
            for &label in labels {
                self.row_of(label)?.into_iter().for_each(|row| rows.insert(row));
            }
            return Ok(rows);
        }
        let mut wanted = labels.iter().peekable();
        for at in 0..in_order {
            let row = self.row_in_order(at)?;
            let label = self.label(row)?;
            while wanted.next_if(|&&wanted| wanted < label).is_some() {}
            if wanted.peek() == Some(&&label) && self.live.contains(row) {
                rows.insert(row);
            }
        }
        Ok(rows)
    }

    fn row_in_order(&self, at: usize) -> Result<RowId> {
        let (row, rows) = (self.image.part(Section::Order, at..at + 1)?[0] as u32, self.image.header().rows);
        if (row as usize) < rows { Ok(RowId(row)) } else { Err(damaged(format!("it names row {row} of {rows}"))) }
    }

    /// The tail, and a row's number in it, if the row stands there.
    fn in_tail(&self, row: RowId) -> Option<(&Self, RowId)> {
        let first = self.image.header().rows as u32;
        self.tail.as_deref().filter(|_| row.0 >= first).map(|tail| (tail, RowId(row.0 - first)))
    }

    /// The number here of a row of the tail.
    fn behind(&self, row: RowId) -> RowId {
        RowId(self.image.header().rows as u32 + row.0)
    }

    /// A row's vector, as f16 keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`].
    pub fn vector(&self, row: RowId) -> Result<Vec<f32>> {
        let mut vector = vec![0.0; self.dim()];
        self.read_vector(row, &mut vector)?;
        Ok(vector)
    }

    fn read_vector(&self, row: RowId, to: &mut [f32]) -> Result<()> {
        if let Some((tail, row)) = self.in_tail(row) {
            return tail.read_vector(row, to);
        }
        let words = self.dim().div_ceil(2);
        from_halves(self.instructions, self.image.part(Section::Halves, row.index() * words..(row.index() + 1) * words)?, to);
        Ok(())
    }

    /// The `k` rows nearest to `query` among those `within`, the nearest first, and of equal ones that with the lower label.
    /// The cosines are those of the vectors as f16 keeps them.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`].
    pub fn nearest(&self, query: &[f32], k: usize, search: Search, within: &RowSet) -> Result<Vec<Neighbour>> {
        assert_eq!(query.len(), self.dim());
        let code = Code::new(self.image.shape(), query);
        let (mut allowed, of_tail) = within.split(self.image.header().rows);
        allowed.intersect(&self.live);
        let mut found = self.candidates(&code, k, search, &allowed)?;
        if let Some(tail) = &self.tail {
            let candidates = tail.scan(&code, k, &of_tail)?;
            found.extend(candidates.into_iter().map(|rank| Rank::new(self.behind(RowId(rank.row())).0, rank.cosine())));
        }
        self.rescore(query, found, k)
    }

    /// Rows of the image that may be among the nearest.
    fn candidates(&self, query: &Code, k: usize, search: Search, allowed: &RowSet) -> Result<Vec<Rank>> {
        let ef = match search {
            Search::Graph(ef) => Some(ef),
            Search::Auto if self.walk_is_shorter(allowed.len()) => Some(EF),
            Search::Auto | Search::Exact => None,
        };
        if let Some(ef) = ef.filter(|_| self.has_graph()) {
            if let Some(found) = self.walk(query, ef.max(k), k, allowed)? {
                return Ok(found);
            }
        }
        self.scan(query, k, allowed)
    }

    /// A walk looks at `1/f` times as many rows where a filter lets the share `f` through; an exact search looks at those only.
    /// Without a filter a walk takes as long as comparing so many rows (`benches/index.rs`).
    fn walk_is_shorter(&self, allowed: usize) -> bool {
        const AS_LONG_AS: usize = 8000;
        allowed.saturating_mul(allowed) > self.image.header().rows.saturating_mul(AS_LONG_AS)
    }

    /// Candidates of a walk, with the strays; `None` if it found fewer than `k`, as the filter may have stood in the way.
    fn walk(&self, query: &Code, ef: usize, k: usize, allowed: &RowSet) -> Result<Option<Vec<Rank>>> {
        let graph = self.graph()?;
        let mut room = self.rooms.lock().ok().and_then(|mut rooms| rooms.pop()).unwrap_or_default();
        let found = graph.search(query, ef, &mut room, |row| allowed.contains(RowId(row)));
        if let Ok(mut rooms) = self.rooms.lock() {
            rooms.push(room);
        }
        let mut found = found?;
        if found.len() < k {
            return Ok(None);
        }
        let strays = self.image.section(Section::Strays)?.iter().map(|&row| row as u32);
        let strays: Vec<u32> = strays.filter(|&row| allowed.contains(RowId(row))).collect();
        let mut dots = Vec::new();
        graph.compare(query, &strays, &mut dots)?;
        found.extend(strays.iter().zip(dots).map(|(&row, dot)| graph.rank(query, row, dot)));
        // A walk may meet a stray all the same.
        found.sort_unstable();
        found.dedup();
        Ok(Some(found))
    }

    fn graph(&self) -> Result<Graph<'_>> {
        let header = self.image.header();
        let words = self.image.section(Section::Levels)?;
        let levels = levels(words, header.m).ok_or_else(|| damaged("its levels are not as long as they say"))?;
        if header.entry as usize >= header.rows {
            return Err(damaged(format!("it begins at row {} of {}", header.entry, header.rows)));
        }
        Ok(Graph {
            shape: self.image.shape(),
            m: header.m,
            entry: header.entry,
            codes: self.image.unchecked(Section::Codes),
            lists: self.image.unchecked(Section::Lists),
            levels,
            image: Some(&self.image),
            instructions: self.instructions,
        })
    }

    /// The `k` best candidates by the cosine of their vectors.
    fn rescore(&self, query: &[f32], found: Vec<Rank>, k: usize) -> Result<Vec<Neighbour>> {
        let mut vector = vec![0.0; self.dim()];
        let mut exact = Vec::with_capacity(found.len());
        for row in found.into_iter().map(|rank| RowId(rank.row())) {
            self.read_vector(row, &mut vector)?;
            exact.push((Neighbour { row, cosine: dot(query, &vector) }, self.label(row)?));
        }
        // By label, as rows have other numbers in an index that is made anew.
        exact.sort_unstable_by(|(a, a_label), (b, b_label)| b.order().total_cmp(&a.order()).then(a_label.cmp(b_label)));
        exact.truncate(k);
        Ok(exact.into_iter().map(|(near, _)| near).collect())
    }
}

fn label(words: &[i32]) -> i64 {
    i64::from(words[0] as u32) | i64::from(words[1]) << 32
}

fn put_together(header: Header, labels: &[i64], [codes, halves]: [&[i32]; 2], links: Option<&Links>) -> Image {
    let words: Vec<i32> = labels.iter().flat_map(|&label| [label as i32, (label >> 32) as i32]).collect();
    let mut order: Vec<i32> = (0..labels.len() as i32).collect();
    order.sort_unstable_by_key(|&row| (labels[row as usize], row));
    let (lists, strays) = links.map_or((&[][..], &[][..]), |links| (&links.lists, &links.strays));
    let mut levels = Vec::new();
    for (rows, lists) in links.iter().flat_map(|links| &links.levels) {
        levels.push(rows.len() as i32);
        levels.extend(rows);
        levels.extend(lists);
    }
    Image::new(header, [&words, &order, codes, halves, lists, &levels, strays])
}

/// From the section of levels; `None` if one is longer than what is there.
fn levels(mut words: &[i32], m: usize) -> Option<Vec<Level<'_>>> {
    let mut levels = Vec::new();
    while let Some((&count, rest)) = words.split_first() {
        let (rows, rest) = rest.split_at_checked(count as u32 as usize)?;
        let (lists, rest) = rest.split_at_checked(rows.len() * m)?;
        levels.push(Level { rows, lists });
        words = rest;
    }
    Some(levels)
}
