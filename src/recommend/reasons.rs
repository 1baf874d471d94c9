//! Why a paper is in an answer: what it is nearest to, the phrases that it shares, and what else counted.

use serde::Serialize;

use super::query::Seed;
use crate::error::Result;
use crate::library::{Brief, Library};
use crate::likeness::Counted;
use crate::phrase::{self, Phrase, Term, TermMap};

/// Why a paper is in an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The liked seed that it is most like.
    Nearest {
        /// The seed's id, or the text that was asked with.
        seed: String,
        /// The seed's title.
        title: String,
        /// The cosine of the two.
        cosine: f32,
    },
    /// Phrases that stand in its text and in that of the seed, and are rare in the library.
    Shares {
        /// As its own text writes them, the most telling first.
        phrases: Vec<String>,
    },
    /// The disliked seed that it is most like, if they are alike at all.
    Disliked {
        /// The seed's id, or the text that was asked with.
        seed: String,
        /// The seed's title.
        title: String,
        /// The cosine of the two.
        cosine: f32,
        /// What all dislikes took from its score.
        cost: f32,
    },
    /// It is new.
    Recent {
        /// What that added to its score.
        gain: f32,
    },
    /// It has votes.
    Popular {
        /// How many.
        votes: u32,
        /// What they added to its score.
        gain: f32,
    },
    /// Whoever asks has seen it.
    Seen {
        /// When: a time in UTC.
        when: String,
    },
}

/// Papers whose words are counted to know which are rare.
const SAMPLE: usize = 256;
/// A word is common if it stands in more than this share of the papers.
const COMMON: f32 = 0.1;
/// Phrases told of one paper.
const PHRASES: usize = 3;

/// How common words are in a library, by a sample of its papers.
#[derive(Default)]
pub(super) struct Commonness {
    papers: f32,
    of_words: TermMap<f32>,
}

impl Commonness {
    pub(super) fn of(library: &Library) -> Result<Self> {
        let rows = library.sample(SAMPLE)?;
        let mut of_words = TermMap::default();
        for &row in &rows {
            counted(&library.brief(row)?).terms().for_each(|term| *of_words.entry(term).or_default() += 1.0);
        }
        Ok(Self { papers: rows.len() as f32, of_words })
    }

    /// In how many of them a word stands.
    pub(super) fn papers_with(&self, term: Term) -> f32 {
        self.of_words.get(&term).copied().unwrap_or(0.0)
    }

    /// True if a word stands in no more than this share of the papers; in a small library, in no more than two.
    pub(super) fn is_rare(&self, term: Term, share: f32) -> bool {
        self.papers_with(term) <= (share * self.papers).max(2.0)
    }

    /// How rare a phrase is: the more, the rarer its words and the more of them; `None` if it has common ones alone.
    fn rarity(&self, phrase: &Phrase) -> Option<f32> {
        let terms = || phrase.stems.split(' ').map(Term::of);
        let rarity = |term| ((self.papers + 1.0) / (self.papers_with(term) + 1.0)).ln();
        terms().any(|term| self.is_rare(term, COMMON)).then(|| terms().map(rarity).sum())
    }

    /// What a paper shares with a seed.
    pub(super) fn shared(&self, seed: &Seed, of_seed: &[Phrase], of_paper: &Brief) -> Vec<String> {
        let telling = |one: &Phrase, other: &Phrase| {
            let together = one.count * other.count;
            // A single word that stands once in both may be there by chance; in a question it is what was asked.
            let is_chance = one.words == 1 && together == 1 && !seed.is_question;
            Some(self.rarity(one)? * (together as f32).sqrt()).filter(|_| !is_chance)
        };
        phrase::shared(of_seed, &phrases(of_paper), PHRASES, telling)
    }
}

/// The words of a title and an abstract.
pub(super) fn counted(text: &Brief) -> Counted {
    Counted::new(&text.title, &text.abstract_text)
}

/// The phrases of a title and an abstract.
pub(super) fn phrases(text: &Brief) -> Vec<Phrase> {
    // The full stop keeps the end of the one from the beginning of the other.
    phrase::phrases(&format!("{}. {}", text.title, text.abstract_text))
}
