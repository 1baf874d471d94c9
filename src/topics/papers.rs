//! The papers to be sorted, and the middles of their topics.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::Options;
use crate::error::Result;
use crate::library::{Brief, Library, PaperRow};
use crate::likeness::{BLEND, Counted, Features, Rarities, TITLE};
use crate::phrase::{self, Term, Word};
use crate::vector::dot;

/// Papers with all that topics look at, in an order that does not depend on how they came into the library.
pub(super) struct Papers {
    pub rows: Vec<PaperRow>,
    pub briefs: Vec<Brief>,
    /// The words of titles and of abstracts.
    pub words: Vec<[Vec<Word>; 2]>,
    /// Vectors, and words that are no stop words.
    pub features: Vec<Features>,
    /// How many different words there are.
    vocabulary: usize,
}

impl Papers {
    /// Those of a library that a filter lets through, and how many of them have no vector.
    pub(super) fn read(library: &Library, options: &Options) -> Result<(Self, u64)> {
        let rows = match &options.among {
            // They need not be looked for among all.
            Some(among) if options.filter.is_open() => among.clone(),
            Some(among) => {
                let among: HashSet<&PaperRow> = among.iter().collect();
                library.rows_of(&options.filter)?.into_iter().filter(|row| among.contains(row)).collect()
            }
            None => library.rows_of(&options.filter)?,
        };
        let (mut found, mut without) = (Vec::with_capacity(rows.len()), 0);
        for row in rows {
            match library.vector(row)? {
                Some(vector) => found.push((library.brief(row)?, row, vector)),
                None => without += 1,
            }
        }
        found.sort_by(|(a, row_a, _), (b, row_b, _)| (&a.title, &a.abstract_text, row_a).cmp(&(&b.title, &b.abstract_text, row_b)));
        let (mut rows, mut briefs, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (brief, row, vector) in found {
            rows.push(row);
            briefs.push(brief);
            vectors.push(vector);
        }
        let words = |brief: &Brief| [&brief.title, &brief.abstract_text].map(|text| phrase::read(text));
        let words: Vec<[Vec<Word>; 2]> = briefs.par_iter().map(words).collect();
        let counted: Vec<Counted> = words.par_iter().map(|words| Counted::of(terms(words).collect())).collect();
        let rarities = Rarities::of(&counted, 0);
        let features = vectors.into_par_iter().zip(&counted).map(|(vector, counted)| rarities.features(vector, counted)).collect();
        Ok((Self { rows, briefs, words, features, vocabulary: rarities.words() }, without))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.features.first().map_or(0, |features| features.vector.len())
    }

    /// Those of some papers that differ from each other, each with those that are the same to the bit, itself first; rows ascend.
    pub(super) fn distinct(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut places: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
        let mut distinct: Vec<Vec<usize>> = Vec::new();
        for &row in rows {
            let features = &self.features[row];
            // A few numbers are enough to look it up by.
            let seen = places.entry(features.vector.iter().take(8).map(|x| x.to_bits()).collect()).or_default();
            match seen.iter().find(|place| self.features[distinct[**place][0]] == *features) {
                Some(&place) => distinct[place].push(row),
                None => {
                    seen.push(distinct.len());
                    distinct.push(vec![row]);
                }
            }
        }
        distinct
    }

    /// The middle of some papers.
    pub(super) fn centroid(&self, group: &[usize]) -> Centroid {
        let mut centroid =
            Centroid { vector: vec![0.0; self.dim()], words: vec![0.0; self.vocabulary], square: 0.0, papers: group.len() as f32, squares: 0.0 };
        for features in group.iter().map(|row| &self.features[*row]) {
            centroid.vector.iter_mut().zip(&features.vector).for_each(|(sum, x)| *sum += x);
            features.words.iter().for_each(|&(number, weight)| centroid.words[number as usize] += weight);
            centroid.squares += square(features);
        }
        centroid.square = (1.0 - BLEND) * dot(&centroid.vector, &centroid.vector) + BLEND * dot(&centroid.words, &centroid.words);
        centroid
    }
}

/// The words of a paper that are no stop words, with what they count.
fn terms(words: &[Vec<Word>; 2]) -> impl Iterator<Item = (Term, f32)> + '_ {
    let of_text = |(words, weight)| (words as &Vec<Word>).iter().filter(|word| !word.usage.is_stop()).map(move |word| (word.term, weight));
    words.iter().zip([TITLE, 1.0]).flat_map(of_text)
}

/// The same, and pairs of such words that follow each other: between a few papers these tell more.
pub(super) fn terms_and_pairs(words: &[Vec<Word>; 2]) -> Vec<(Term, f32)> {
    let of_text = |(words, weight): (&Vec<Word>, f32)| {
        let pairs = words.windows(2).filter(|pair| pair.iter().all(|word| !word.usage.is_stop()));
        pairs.map(|pair| (pair[0].term.then(pair[1].term), weight)).collect::<Vec<_>>()
    };
    terms(words).chain(words.iter().zip([TITLE, 1.0]).flat_map(of_text)).collect()
}

/// The sum of the features of a topic's papers. Likeness is an inner product, so that the mean of a paper's likenesses to all of
/// them is its product with this.
pub(super) struct Centroid {
    vector: Vec<f32>,
    words: Vec<f32>,
    square: f32,
    papers: f32,
    /// The sum of the squares of the features.
    squares: f32,
}

impl Centroid {
    fn product(&self, features: &Features) -> f32 {
        let words: f32 = features.words.iter().map(|&(number, weight)| weight * self.words[number as usize]).sum();
        (1.0 - BLEND) * dot(&self.vector, &features.vector) + BLEND * words
    }

    /// The cosine of a paper to it.
    pub(super) fn cosine(&self, features: &Features) -> f32 {
        self.product(features) / (square(features) * self.square).sqrt().max(f32::MIN_POSITIVE)
    }

    /// The cosine of one of its papers to what it is without that paper; 1 if there is no other.
    pub(super) fn cosine_of_member(&self, features: &Features) -> f32 {
        let (product, own) = (self.product(features), square(features));
        let without = self.square - 2.0 * product + own;
        if without > 1e-4 * own { (product - own) / (own * without).sqrt().max(f32::MIN_POSITIVE) } else { 1.0 }
    }
}

impl Centroid {
    /// The inner product of the means of the two.
    fn of_means(&self, other: &Self) -> f32 {
        let product = (1.0 - BLEND) * dot(&self.vector, &other.vector) + BLEND * dot(&self.words, &other.words);
        product / (self.papers * other.papers).max(1.0)
    }
}

/// How much of a paper's likeness to itself counts as likeness in its topic; with 1, topics were compared by the cosine of their means.
const CHANCE: f32 = 0.3;
/// How much of the middle of all is taken away: what all topics have in common makes no two of them alike. With all of it, the only
/// topic there is would be like none.
const COMMON: f32 = 0.7;

/// A topic, seen from the middle of all.
pub(super) struct Apart {
    centroid: Centroid,
    /// The inner product of the topic's mean and what is taken away.
    to_middle: f32,
    middle: f32,
    among: f32,
}

impl Apart {
    pub(super) fn new(centroid: Centroid, middle: &Centroid) -> Self {
        let (to_middle, middle) = (COMMON * centroid.of_means(middle), COMMON * COMMON * middle.of_means(middle));
        let papers = centroid.papers.max(1.0);
        let own = centroid.squares / papers - 2.0 * to_middle + middle;
        let mean = centroid.of_means(&centroid) - 2.0 * to_middle + middle;
        let pairs = (papers * mean - own) / (papers - 1.0).max(1.0);
        // Of few pairs the mean may be small by chance.
        let among = pairs.max(0.0) + CHANCE * own / papers;
        Self { centroid, to_middle, middle, among }
    }

    /// How alike the papers of two topics are, beside how alike those of each are among themselves: near 1 if the two might be one.
    /// A paper is not compared with itself, or topics of a few papers would be like none.
    pub(super) fn likeness(&self, other: &Self) -> f32 {
        let between = self.centroid.of_means(&other.centroid) - self.to_middle - other.to_middle + self.middle;
        between / (self.among * other.among).max(f32::MIN_POSITIVE).sqrt()
    }
}

fn square(features: &Features) -> f32 {
    let words: f32 = features.words.iter().map(|(_, weight)| weight * weight).sum();
    (1.0 - BLEND) * dot(&features.vector, &features.vector) + BLEND * words
}
