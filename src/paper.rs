//! The paper itself: what is known of it, what it is called, and which text stands for it.
//!
//! [`Paper::embedding_text`] is the one place that decides what is embedded. Nothing here reads,
//! writes or computes a vector.

mod date;
mod id;

pub use date::{Date, days_before, parse_date, parse_month_day, utc};
pub use id::{Kind, PaperId};

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// One paper, as a source told it or as a library keeps it.
///
/// Everything but the title is optional, because every source leaves something out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paper {
    /// Every id that it is known by, without repeats, the most telling kind first.
    pub ids: Vec<PaperId>,
    /// The title, on one line.
    pub title: String,
    /// The abstract, on one line; empty where the source has none.
    pub abstract_text: String,
    /// The authors' names in order; may be empty.
    pub authors: Vec<String>,
    /// The number of authors, where it is known.
    pub authors_count: Option<u32>,
    /// Subject categories, the primary one first.
    pub categories: Vec<String>,
    /// The day of the first version.
    pub published: Option<Date>,
    /// The day of the version at hand.
    pub updated: Option<Date>,
    /// The day of the digest in which it stood.
    pub day: Option<Date>,
    /// Votes.
    pub upvotes: Option<u32>,
    /// The number of comments.
    pub comments: Option<u32>,
    /// Where to read it.
    pub url: Option<String>,
    /// The arXiv version, from 1.
    pub version: Option<u32>,
    /// Its authors, or who published it, took it back.
    pub withdrawn: bool,
}

impl Paper {
    /// The id by which it is called: arXiv, else DOI, else what the source gave, else its title's hash.
    pub fn id(&self) -> PaperId {
        self.ids.first().cloned().unwrap_or_else(|| PaperId::of_title(&self.title))
    }

    /// Its DOI, if it has one.
    pub fn doi(&self) -> Option<&str> {
        self.ids.iter().find_map(|id| match id {
            PaperId::Doi(doi) => Some(doi.as_str()),
            _ => None,
        })
    }

    /// Adds an id unless it is there or says nothing, and keeps the order of [`PaperId`]'s kinds.
    pub fn add_id(&mut self, id: PaperId) {
        self.add_ids([id]);
    }

    /// [`Paper::add_id`] for many.
    pub fn add_ids(&mut self, ids: impl IntoIterator<Item = PaperId>) {
        self.ids.extend(ids.into_iter().filter(|id| !matches!(id, PaperId::Given(text) if text.is_empty())));
        self.ids.sort();
        self.ids.dedup();
    }

    /// True if nothing names it but its title.
    pub fn has_only_title(&self) -> bool {
        self.ids.iter().all(|id| matches!(id, PaperId::Title(_)))
    }

    /// The text that is embedded: `title. abstract`, without a second full stop. Whoever changes it changes
    /// [`crate::vector::TEXT_TEMPLATE`], so that older vectors are refused.
    ///
    /// ```
    /// let paper = paperkin::paper::Paper {
    ///     title: "Gradient is all you need?".into(),
    ///     abstract_text: "We look at descent.".into(),
    ///     ..Default::default()
    /// };
    /// assert_eq!(paper.embedding_text(), "Gradient is all you need?. We look at descent.");
    /// ```
    pub fn embedding_text(&self) -> String {
        embedding_text(&self.title, &self.abstract_text)
    }

    /// Identifies the text of the paper: two papers with one hash have one vector.
    pub fn text_hash(&self) -> TextHash {
        TextHash::of(&self.embedding_text())
    }

    /// The number of authors as far as it is known.
    pub fn count_authors(&self) -> Option<u32> {
        self.authors_count.or_else(|| u32::try_from(self.authors.len()).ok().filter(|&n| n > 0))
    }
}

/// [`Paper::embedding_text`] for a title and an abstract alone.
pub fn embedding_text(title: &str, abstract_text: &str) -> String {
    match (title, abstract_text) {
        (title, "") => title.to_owned(),
        ("", text) => text.to_owned(),
        (title, text) if title.ends_with('.') => format!("{title} {text}"),
        (title, text) => format!("{title}. {text}"),
    }
}

/// The first 16 bytes of a text's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextHash(pub [u8; 16]);

impl TextHash {
    /// The hash of a text.
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }
}

/// The normal form of a title: lower-case letters and digits, accents dropped, single spaces.
///
/// Titles that differ in case, punctuation, accents, dashes or white space have one normal form. A title
/// without a letter or digit is its own.
///
/// ```
/// use paperkin::paper::title_key;
/// assert_eq!(title_key("Multi-marginal  Schrödinger Bridges"), "multi marginal schrodinger bridges");
/// assert_eq!(title_key("🚀"), "🚀");
/// ```
pub fn title_key(title: &str) -> String {
    let plain: String = title
        .nfkd()
        .filter(|c| !('\u{300}'..='\u{36f}').contains(c))
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let key = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if key.is_empty() { title.trim().to_owned() } else { key }
}
