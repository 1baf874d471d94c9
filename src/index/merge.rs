//! What changed after an index was built: it stands beside the index at first, and is taken into the graph later.
//!
//! ```text
//! image                                 | tail
//! row 0, row 1, (gone), row 3, …        | new rows, exact        with_changes: as the library is now
//! row 0, row 1,  0,     row 3, …, new rows, linked               merged: one image again
//! ```
//!
//! A row that is gone loses its label and stays in the graph, where walks pass through it; so nobody's links break. A row
//! whose vector changed is one that is gone and a new one. Once a quarter of the rows that the graph was built of is gone
//! or new, [`Index::is_worn`] says to build it anew.

use super::build::mend;
use super::graph::{NONE, Room};
use super::image::{Header, Section};
use super::link::{Coded, Links};
use super::{Index, Source, levels, put_together};
use crate::error::Result;
use crate::vector::RowId;

impl Index {
    /// This index, which has no tail yet, without the labels `changed`, and with the rows of `tail`, which are searched exactly.
    ///
    /// # Errors
    ///
    /// [`crate::Error::IndexDamaged`], and those of [`Index::build`].
    pub fn with_changes(mut self, changed: &[i64], tail: Source<'_>) -> Result<Self> {
        assert!(self.tail.is_none());
        for &label in changed {
            if let Some(row) = self.row_of(label)? {
                self.live.remove(row);
            }
        }
        self.tail = if tail.labels.is_empty() { None } else { Some(Box::new(Self::build(tail, None)?)) };
        Ok(self)
    }

    /// True if every row stands for its label and there is no tail.
    pub fn is_compact(&self) -> bool {
        self.tail.is_none() && self.live.len() == self.image.header().rows
    }

    /// True if so much has changed since the graph was built that it should be built anew.
    pub fn is_worn(&self) -> bool {
        let Header { rows, built, .. } = *self.image.header();
        let (gone, new) = (rows - self.live.len(), self.len().saturating_sub(built));
        (gone + new) * 4 > built
    }

    /// All of it in one image: the tail's rows are linked into the graph. `state` is as in [`Source`].
    ///
    /// # Errors
    ///
    /// [`crate::Error::IndexDamaged`].
    pub fn merged(&self, state: u64) -> Result<Self> {
        let (header, image) = (*self.image.header(), &self.image);
        let rows = |rows: usize| (0..rows as u32).map(RowId);
        let label = |row: RowId| if row.index() >= header.rows || self.live.contains(row) { self.label(row) } else { Ok(0) };
        let labels = rows(self.len()).map(label).collect::<Result<Vec<i64>>>()?;
        let (mut codes, mut halves) = (image.section(Section::Codes)?.to_vec(), image.section(Section::Halves)?.to_vec());
        let mut largest_scale = header.largest_scale;
        if let Some(tail) = &self.tail {
            codes.extend(tail.image.section(Section::Codes)?);
            halves.extend(tail.image.section(Section::Halves)?);
            largest_scale = largest_scale.max(tail.image.header().largest_scale);
        }
        let links = if self.has_graph() {
            let mut links = self.links()?;
            links.lists.resize(labels.len() * 2 * links.m, NONE);
            let coded = Coded { shape: image.shape(), codes: &codes, instructions: self.instructions };
            self.link_tail(&mut links, coded)?;
            Some(links)
        } else {
            None
        };
        let gone = labels.iter().filter(|&&label| label == 0).count();
        let header = Header { state, rows: labels.len(), largest_scale, gone, ..header };
        Self::of(put_together(header, &labels, [&codes, &halves], links.as_ref()))
    }

    /// The graph, to be changed.
    fn links(&self) -> Result<Links> {
        let graph = self.graph()?;
        let lists = self.image.section(Section::Lists)?.to_vec();
        let owned = levels(self.image.section(Section::Levels)?, graph.m).unwrap_or_default();
        let levels = owned.iter().map(|level| (level.rows.to_vec(), level.lists.to_vec())).collect();
        let strays = self.image.section(Section::Strays)?.to_vec();
        Ok(Links { m: graph.m, entry: graph.entry, lists, levels, strays })
    }

    /// Links the rows of the tail, and looks for every row after that: a link that one lost may have been another's way.
    fn link_tail(&self, links: &mut Links, coded: Coded<'_>) -> Result<()> {
        let mut room = Room::default();
        let (first, end) = (self.image.header().rows as u32, self.len() as u32);
        for row in first..end {
            links.link(coded, row, &mut room)?;
        }
        mend(links, coded, self.live.iter().map(|row| row.0).chain(first..end).collect())
    }
}
