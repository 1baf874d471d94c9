//! How alike two papers are: in meaning, by their vectors, and in words.
//!
//! ```text
//! likeness = (1 - blend) · cosine of the vectors + blend · cosine of the words
//! word     = tf / (tf + 2) · ln(1 + N / df), scaled to length 1 over the text
//! tf       = 3 · how often it stands in the title + how often in the abstract
//! ```
//!
//! Both cosines are inner products of vectors of length 1, and so is their blend: whatever can be done with a cosine, such as
//! taking a mean, can be done with it. `N` and `df` count the papers that are compared. Where they are what is nearest to
//! something in meaning, the words of their topic tell little and those that tell them apart tell much; on citations of papers that
//! ranks better than counting in the whole library. The first factor is
//! the saturation of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, section 3) without its
//! length, which the scaling does.

use crate::phrase::{Term, TermMap, for_each_term};
use crate::vector::dot;

/// The blend that ranks citations best; from 0.5 to 0.7 it makes little difference.
pub const BLEND: f32 = 0.65;
/// How much a word of the title counts beside one of the abstract.
pub const TITLE: f32 = 3.0;
/// Where the count of a word counts half.
const HALF: f32 = 2.0;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Features {
    /// The vector of the text, of length 1, or nothing but zeros.
    pub vector: Vec<f32>,
    /// The words of the text by their numbers, each once, with weights of length 1 in all; none if words do not count.
    pub words: Vec<(u32, f32)>,
}

impl Features {
    /// Those of a paper of which the words do not count.
    pub fn of_vector(vector: Vec<f32>) -> Self {
        Self { vector, words: Vec::new() }
    }
}

/// One paper, ready to be compared with many: its words stand in a table, so that nobody looks for them.
pub struct Compared<'f> {
    features: &'f Features,
    weights: Vec<f32>,
    blend: f32,
}

impl<'f> Compared<'f> {
    /// With this share of words.
    pub fn new(features: &'f Features, blend: f32) -> Self {
        let mut compared = Self { features, weights: Vec::new(), blend };
        compared.write(features);
        compared
    }

    /// Another paper in its place, in the same table.
    pub fn turn_to(&mut self, features: &'f Features) {
        self.features.words.iter().for_each(|(number, _)| self.weights[*number as usize] = 0.0);
        self.write(features);
    }

    fn write(&mut self, features: &'f Features) {
        let most = features.words.iter().map(|(number, _)| *number as usize + 1).max().unwrap_or(0);
        if self.weights.len() < most {
            self.weights.resize(most, 0.0);
        }
        features.words.iter().for_each(|&(number, weight)| self.weights[number as usize] = weight);
        self.features = features;
    }

    /// How alike the two are: 1 for equals.
    pub fn to(&self, other: &Features) -> f32 {
        let meaning = if self.blend < 1.0 { dot(&self.features.vector, &other.vector) } else { 0.0 };
        self.with_cosine(other, meaning)
    }

    /// The same, where the cosine of their vectors is known.
    pub fn with_cosine(&self, other: &Features, meaning: f32) -> f32 {
        let weight = |&(number, weight): &(u32, f32)| weight * self.weights.get(number as usize).copied().unwrap_or(0.0);
        let words = if self.blend > 0.0 { other.words.iter().map(weight).sum() } else { 0.0 };
        (1.0 - self.blend) * meaning + self.blend * words
    }
}

/// The words of a text, each with its tf; terms ascending.
pub struct Counted(Vec<(Term, f32)>);

impl Counted {
    /// Those of a title and an abstract.
    pub fn new(title: &str, abstract_text: &str) -> Self {
        let mut words: Vec<(Term, f32)> = Vec::with_capacity(abstract_text.len() / 6);
        for (text, weight) in [(title, TITLE), (abstract_text, 1.0)] {
            for_each_term(text, |term| words.push((term, weight)));
        }
        Self::of(words)
    }

    /// Those of terms in any order, each with what it counts.
    pub fn of(mut words: Vec<(Term, f32)>) -> Self {
        words.sort_unstable_by_key(|(term, _)| *term);
        words.dedup_by(|next, first| {
            let is_same = next.0 == first.0;
            first.1 += if is_same { next.1 } else { 0.0 };
            is_same
        });
        Self(words)
    }

    /// The terms, each once.
    pub fn terms(&self) -> impl Iterator<Item = Term> + '_ {
        self.0.iter().map(|(term, _)| *term)
    }
}

/// The numbers of the words of some texts, and what each of them tells.
pub struct Rarities {
    numbers: TermMap<u32>,
    weights: Vec<f32>,
}

impl Rarities {
    /// Counts documents among the texts, of which the first are seeds: all of them count as one document.
    pub fn of(texts: &[Counted], seeds: usize) -> Self {
        let (mut numbers, mut documents): (TermMap<u32>, Vec<f32>) = (TermMap::default(), Vec::new());
        for (place, text) in texts.iter().enumerate() {
            for term in text.terms() {
                let number = *numbers.entry(term).or_insert(documents.len() as u32) as usize;
                if number == documents.len() {
                    documents.push(if place < seeds { 1.0 } else { 0.0 });
                }
                documents[number] += if place < seeds { 0.0 } else { 1.0 };
            }
        }
        let all = texts.len().saturating_sub(seeds) as f32 + 1.0;
        let weights = documents.into_iter().map(|df| (1.0 + all / df).ln()).collect();
        Self { numbers, weights }
    }

    /// Without the words of a single text, which make it like no other.
    #[must_use]
    pub fn of_shared(texts: &[Counted]) -> Self {
        let mut rarities = Self::of(texts, 0);
        let alone = (1.0 + (texts.len() as f32 + 1.0)).ln();
        rarities.weights.iter_mut().filter(|weight| **weight >= alone).for_each(|weight| *weight = 0.0);
        rarities
    }

    /// How many words have numbers.
    pub fn words(&self) -> usize {
        self.weights.len()
    }

    /// Puts a paper's vector and its words together.
    pub fn features(&self, vector: Vec<f32>, counted: &Counted) -> Features {
        let weighed = |(term, tf): &(Term, f32)| {
            let number = *self.numbers.get(term)?;
            Some((number, tf / (tf + HALF) * self.weights[number as usize])).filter(|(_, weight)| *weight > 0.0)
        };
        let mut words: Vec<(u32, f32)> = counted.0.iter().filter_map(weighed).collect();
        let length = words.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        words.iter_mut().filter(|_| length > 0.0).for_each(|(_, weight)| *weight /= length);
        Features { vector, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(texts: &[(&str, &str)]) -> Vec<Features> {
        let counted: Vec<Counted> = texts.iter().map(|(title, text)| Counted::new(title, text)).collect();
        let rarities = Rarities::of(&counted, 1);
        counted.iter().map(|counted| rarities.features(vec![1.0, 0.0], counted)).collect()
    }

    #[test]
    fn a_text_is_like_itself_and_like_those_that_share_its_rare_words() {
        let all = features(&[
            ("Sparse transformers", "a paper on long texts"),
            ("Graphs", "a paper on trees"),
            ("Transformer", "a paper on attention that is sparse"),
            ("", ""),
        ]);
        let likeness = |one: usize, other: usize, blend: f32| Compared::new(&all[one], blend).to(&all[other]);
        let words = |other: usize| likeness(0, other, 1.0);
        assert!((words(0) - 1.0).abs() < 1e-6, "{}", words(0));
        assert!(words(2) > 2.0 * words(1) && words(1) > 0.0 && words(3) == 0.0, "{:?}", [words(1), words(2), words(3)]);
        assert_eq!(likeness(0, 1, 0.0), 1.0);
        assert!((likeness(0, 2, 0.5) - (0.5 + 0.5 * words(2))).abs() < 1e-6);
        assert!((words(2) - likeness(2, 0, 1.0)).abs() < 1e-6);
    }
}
