//! How words of abstracts are used: what makes a phrase sound like the name of a subject, and what does not.
//!
//! `usage.tsv` holds a stem a line, its marks, and the share of abstracts that have it in thousandths. It was counted over 20,000
//! abstracts of arXiv: a verb (`v`) is often followed by an article or stands after "to" or "can"; an adjective (`a`) mostly stands
//! before another word and seldom ends a clause, or follows a form of "be"; a general word (`g`), such as "model" or "data", says
//! nothing of a subject by itself. The lists were then read and mended by hand.

use std::sync::LazyLock;

use super::{Term, TermMap, stop_words};

/// What is known of a stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage(u8);

const STOP: u8 = 1;
const VERB: u8 = 2;
const ADJECTIVE: u8 = 4;
const GENERAL: u8 = 8;
const NUMBER: u8 = 16;
const LETTER: u8 = 32;
const ODD_ENDING: u8 = 64;
const HEAD: u8 = 128;

/// General words in which another general word finds a subject: "language model", "world model".
const HEADS: [&str; 6] = ["world", "language", "agent", "neural", "reasoning", "reinforcement"];
/// The share of abstracts that have a word of which nothing is known.
const UNKNOWN: f32 = 0.005;

struct Known {
    usage: TermMap<u8>,
    shares: TermMap<f32>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known { usage: TermMap::default(), shares: TermMap::default() };
    stop_words().iter().for_each(|stem| _ = known.usage.insert(Term::of(stem), STOP));
    for line in include_str!("usage.tsv").lines() {
        let mut cells = line.split('\t');
        let (stem, marks, share) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let mark = |name: char, flag: u8| if marks.contains(name) { flag } else { 0 };
        let head = if HEADS.contains(&stem) { HEAD } else { 0 };
        *known.usage.entry(Term::of(stem)).or_default() |= mark('v', VERB) | mark('a', ADJECTIVE) | mark('g', GENERAL) | head;
        known.shares.insert(Term::of(stem), share.parse::<f32>().unwrap_or(0.0) / 1000.0);
    }
    known
});

/// The share of abstracts that have a stem.
pub fn usual_share(term: Term) -> f32 {
    KNOWN.shares.get(&term).copied().unwrap_or(UNKNOWN)
}

/// True for a stem that is listed: common enough in abstracts to be known.
pub fn is_common(term: Term) -> bool {
    KNOWN.usage.contains_key(&term)
}

impl Usage {
    /// That of a stem, and of the term made of it.
    pub fn of(stem: &str, term: Term) -> Self {
        let number = if stem.bytes().all(|b| b.is_ascii_digit()) { NUMBER } else { 0 };
        let letter = if stem.len() < 2 { STOP | if number == 0 { LETTER } else { 0 } } else { 0 };
        let known = KNOWN.usage.get(&term).copied().unwrap_or_else(|| {
            let sounds_so = ["able", "ible", "ous", "ful", "less", "ly"].iter().any(|ending| stem.ends_with(ending));
            let long_and_so = stem.len() > 4 && stem.ends_with("ed") || stem.len() > 5 && stem.ends_with("ive");
            if sounds_so || long_and_so { ODD_ENDING } else { 0 }
        });
        Self(number | letter | known)
    }

    /// True for a stem that carries no meaning by itself.
    pub fn is_stop(self) -> bool {
        self.0 & STOP != 0
    }
}

/// The usages of a phrase's words, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Sound {
    any: u8,
    all: u8,
    first: u8,
    last: u8,
    words: usize,
}

impl Sound {
    /// That of a phrase of one word.
    pub fn of(Usage(word): Usage) -> Self {
        Self { any: word, all: word, first: word, last: word, words: 1 }
    }

    /// With one word more.
    pub fn and(self, Usage(word): Usage) -> Self {
        // What is an adjective or a general word says nothing by itself.
        let blank = |flags: u8| if flags & (ADJECTIVE | GENERAL) != 0 { flags | ADJECTIVE | GENERAL } else { flags };
        Self { any: self.any | word, all: blank(self.all) & blank(word), last: word, words: self.words + 1, ..self }
    }

    /// True for a phrase that may be the name of a subject: no verb in it, no adjective at its end, and not all of it general.
    pub fn is_a_name(self) -> bool {
        let says_nothing = self.all & (GENERAL | ADJECTIVE) != 0 && (self.words == 1 || self.any & HEAD == 0);
        self.any & (VERB | LETTER) == 0 && self.last & (ADJECTIVE | NUMBER | ODD_ENDING) == 0 && self.first & NUMBER == 0 && !says_nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrase::stem;

    fn is_a_name(phrase: &str) -> bool {
        let usage = |word: &str| Usage::of(&stem(word), Term::of(&stem(word)));
        let mut words = phrase.split(' ').map(usage);
        let first = Sound::of(words.next().unwrap());
        words.fold(first, Sound::and).is_a_name()
    }

    #[test]
    fn subjects_sound_like_names_and_other_words_do_not() {
        for name in ["diffusion", "world models", "agents", "language models", "image editing", "3D", "protein folding", "graph neural networks"] {
            assert!(is_a_name(name), "{name}");
        }
        for other in ["model", "efficient", "generate images", "images generated", "high quality", "2026", "data set", "remarkable", "x"] {
            assert!(!is_a_name(other), "{other}");
        }
    }

    #[test]
    fn common_words_are_known_to_be_common() {
        assert!(usual_share(Term::of("model")) > 0.4 && usual_share(Term::of("no such word")) == UNKNOWN);
    }
}
