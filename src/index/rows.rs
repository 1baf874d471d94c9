//! Sets of rows, a bit each: what a filter lets through, and what still stands for something.

use crate::vector::RowId;

/// Some of the rows from 0 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    rows: usize,
}

impl RowSet {
    /// All of `rows` rows.
    pub fn all(rows: usize) -> Self {
        let mut words = vec![u64::MAX; rows.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| rows % 64 > 0) {
            *last = (1 << (rows % 64)) - 1;
        }
        Self { words, rows }
    }

    /// None of `rows` rows.
    pub fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], rows }
    }

    /// Takes a row in; one that is not among the rows is left out.
    pub fn insert(&mut self, RowId(row): RowId) {
        if (row as usize) < self.rows {
            self.words[row as usize / 64] |= 1 << (row % 64);
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, RowId(row): RowId) {
        if let Some(word) = self.words.get_mut(row as usize / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// True if the row is in it.
    #[inline]
    pub fn contains(&self, RowId(row): RowId) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many rows are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True if no row is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The rows in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = RowId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(RowId(i as u32 * 64 + bit))
            })
        })
    }

    /// The first `rows` of its rows, and those behind them, numbered from 0 on.
    pub(super) fn split(&self, rows: usize) -> (Self, Self) {
        let (mut first, mut rest) = (Self::none(rows), Self::none(self.rows.saturating_sub(rows)));
        first.words.iter_mut().zip(&self.words).for_each(|(to, word)| *to = *word);
        first.intersect(&Self::all(rows));
        (rows..self.rows).map(|row| RowId(row as u32)).filter(|&row| self.contains(row)).for_each(|row| rest.insert(RowId(row.0 - rows as u32)));
        (first, rest)
    }

    /// Keeps what is in both.
    pub(super) fn intersect(&mut self, other: &Self) {
        let others = other.words.iter().chain(std::iter::repeat(&0));
        self.words.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
    }
}
