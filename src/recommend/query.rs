//! What is asked: papers and texts that are liked or disliked, and what the answer is to be like.

use crate::error::{Error, Result};
use crate::index::Search;
use crate::library::{Brief, Filter, PROFILE, PaperRow};
use crate::likeness::BLEND;
use crate::paper::Date;

use super::strategy::Strategy;

/// One or more seeds, liked or not.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// What the answer is to be like.
    pub likes: Vec<Seed>,
    /// What it is to be unlike.
    pub dislikes: Vec<Seed>,
    /// Papers that are not to be in the answer. Seeds never are.
    pub without: Vec<PaperRow>,
}

/// A paper or a text from which papers are judged. [`super::Desk`] makes them.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The id of the paper; of a text, the text.
    pub name: String,
    /// Its text.
    pub text: Brief,
    /// Its vector, of length 1.
    pub vector: Vec<f32>,
    /// How much it counts beside the others, above 0.
    pub weight: f32,
    /// The papers of the library that it is, or is a version of.
    pub(super) is: Vec<PaperRow>,
    /// True for a question in a few words: its words are looked for wherever they stand.
    pub(super) is_question: bool,
}

/// Of titles as questions, blends from 0.5 to 0.65 found the same; a sentence has words that mean nothing.
const BLEND_OF_QUESTIONS: f32 = 0.5;

/// What an answer is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// At most so many papers.
    pub count: usize,
    /// Which papers.
    pub filter: Filter,
    /// How to look for them.
    pub search: Search,
    /// How several seeds count.
    pub strategy: Strategy,
    /// How much words count beside meaning: from 0, meaning alone, which makes the score a cosine, to 1, words alone.
    pub blend: f32,
    /// How unlike each other the papers are to be, from 0, not at all, to 1; see [`super::extras`].
    pub diversity: f32,
    /// Newer papers first.
    pub recent: Option<Recent>,
    /// How much votes count, from 0 on.
    pub popular: f32,
    /// Whose marks of papers seen are told.
    pub profile: String,
}

/// How much the day of a paper counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recent {
    /// The day from which ages count.
    pub today: Date,
    /// The age in days at which it counts half.
    pub half_life: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            count: 10,
            filter: Filter::default(),
            search: Search::Auto,
            strategy: Strategy::Auto,
            blend: BLEND,
            diversity: 0.0,
            recent: None,
            popular: 0.0,
            profile: PROFILE.to_owned(),
        }
    }
}

impl Options {
    /// The default where all that is asked is a text.
    pub fn of_question() -> Self {
        Self { blend: BLEND_OF_QUESTIONS, ..Self::default() }
    }

    /// Refuses numbers that mean nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<()> {
        let share = |name: &str, x: f32| match x {
            x if (0.0..=1.0).contains(&x) => Ok(()),
            _ => Err(Error::usage(format!("a {name} of {x}; expected a number from 0 to 1"))),
        };
        share("blend", self.blend)?;
        share("diversity", self.diversity)?;
        share("popularity", self.popular)?;
        match self.recent {
            Some(Recent { half_life, .. }) if !(half_life > 0.0 && half_life.is_finite()) => {
                Err(Error::usage(format!("a half-life of {half_life} days; expected a number above 0")))
            }
            _ => Ok(()),
        }
    }
}

impl Query {
    /// The papers of the library that the seeds are.
    pub(super) fn rows(&self) -> impl Iterator<Item = PaperRow> + '_ {
        self.likes.iter().chain(&self.dislikes).flat_map(|seed| seed.is.iter().copied())
    }
}

impl Seed {
    /// What it is called for a person.
    pub fn title(&self) -> &str {
        if self.text.title.is_empty() { &self.name } else { &self.text.title }
    }
}
