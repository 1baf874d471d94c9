//! Which source each thing that is known of a paper is from.

use std::collections::BTreeMap;

use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::Paper;

/// Names of things that are known, by the source that told them: a format and an origin, `feed cs.LG.xml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Provenance(BTreeMap<String, Vec<String>>);

impl Provenance {
    pub(super) fn from_json(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts are JSON")
    }

    /// Everything in which two states of a paper differ is told by `source`, which may differ from one thing to the next.
    pub(super) fn note(&mut self, before: &Paper, after: &Paper, source: impl Fn(&str) -> String) {
        for (name, is_same) in compared(before, after) {
            if !is_same {
                self.0.values_mut().for_each(|names| names.retain(|own| own != name));
                self.0.entry(source(name)).or_default().push(name.to_owned());
            }
        }
        self.0.retain(|_, names| !names.is_empty());
    }

    /// Who told this.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(_, names)| names.iter().any(|own| own == name)).map(|(source, _)| source.as_str())
    }
}

/// The names of all that may be known, and whether it is the same in two papers.
fn compared(a: &Paper, b: &Paper) -> [(&'static str, bool); 14] {
    [
        ("ids", a.ids == b.ids),
        ("title", a.title == b.title),
        ("abstract", a.abstract_text == b.abstract_text),
        ("authors", a.authors == b.authors),
        ("authors_count", a.authors_count == b.authors_count),
        ("categories", a.categories == b.categories),
        ("published", a.published == b.published),
        ("updated", a.updated == b.updated),
        ("day", a.day == b.day),
        ("upvotes", a.upvotes == b.upvotes),
        ("comments", a.comments == b.comments),
        ("url", a.url == b.url),
        ("version", a.version == b.version),
        ("withdrawn", a.withdrawn == b.withdrawn),
    ]
}

impl Library {
    /// Where each thing that is known of a paper is from: its name, as in the JSON of a paper, and a format and an origin. Things that
    /// were known before libraries kept this are not named.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn provenance(&self, row: PaperRow) -> Result<Vec<(String, String)>> {
        let stored = self.stored(row)?;
        let names = compared(&stored.paper, &stored.paper).map(|(name, _)| name);
        Ok(names.into_iter().filter_map(|name| Some((name.to_owned(), stored.provenance.of(name)?.to_owned()))).collect())
    }
}
