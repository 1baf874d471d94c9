//! Questions to a library, and their answers: what is like these papers and unlike those, what is about this sentence, and why.
//!
//! ```text
//! seeds ─ index ─▶ pool ─ likeness, strategy, smooth, extras ─▶ ranked ─ reasons ─▶ hits
//! ```
//!
//! The index finds a pool of some hundred papers by their vectors; everything else looks at the pool alone, so that a question
//! costs the same whatever the size of the library. Vectors have length 1. Seeds, and other versions of them, are never in the
//! answer. Asking never writes.
//!
//! | file | what it does |
//! |---|---|
//! | `query` | what is asked, and the options |
//! | `syntax` | a typed query: words and prefixes |
//! | `rank` | from the pool to the order |
//! | `strategy` | likeness to several seeds as one number |
//! | `linear` | what several likes have in common |
//! | `smooth` | what neighbours in the pool add |
//! | `extras` | newer, more popular, more diverse |
//! | `reasons` | why a paper is in the answer |
//! | `eval` | how well papers are found that ought to be |
//! | `duplicates` | papers that nearly repeat another |

mod duplicates;
mod eval;
mod extras;
mod linear;
mod query;
mod rank;
mod reasons;
mod smooth;
mod strategy;
mod syntax;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use crate::embed::{Embedder, Role};
use crate::error::{Error, Result};
use crate::index::{Index, RowSet, Search};
use crate::library::{Brief, Filter, GRAPH_FROM, Indexed, Library, Moment, PaperRow, Rating};
use crate::paper::Paper;
use crate::phrase::{Term, is_stop_word, stem, words};
use crate::vector::{RowId, Vectors, dot};
use linear::{Background, Direction};
use rank::{Candidate, rank};
use reasons::{Commonness, phrases};

pub use duplicates::{Group, duplicates};
pub use eval::{Ask, Evaluation, FEWEST, HUB, Judgement, Judgements, Scores};
pub use query::{Options, Query, Recent, Seed};
pub use rank::Ranked;
pub use reasons::Reason;
pub use strategy::Strategy;
pub use syntax::{Typed, parse};

/// A paper in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its number in the library.
    pub row: PaperRow,
    /// The paper.
    pub paper: Paper,
    /// What the answer is ranked by; higher is better.
    pub score: f32,
    /// The cosine to the mean of what is liked; none for a paper without a vector.
    pub cosine: Option<f32>,
    /// Why it is here.
    pub reasons: Vec<Reason>,
}

/// Papers that are looked at beyond their vector, however many are asked for: more change the order of none before them. With a
/// greater pool, ranking is no better and takes longer.
const POOL: usize = 200;
/// Of several seeds.
const POOL_OF_SEVERAL: usize = 300;
/// Letters of a text that name it.
const LONGEST_NAME: usize = 200;
/// Papers that say what papers in general are like.
const SAMPLE: usize = 500;
/// Of a question in words, papers that are in the pool for their words alone.
const BY_WORDS: usize = 100;
/// Words that bring papers into the pool: those that no greater share of the papers has, and of them the rarest.
const RARE: f32 = 0.02;
const RAREST: usize = 8;
/// Liked papers whose own nearest are in the pool, beside those of their mean; they share a third of it.
const OWN_NEAREST: usize = 32;

/// A library with its index, ready for many questions.
pub struct Desk<'a> {
    library: &'a Library,
    /// Papers, vectors and index are of one moment, that of the first question.
    _moment: Option<Moment<'a>>,
    kept: Indexed,
    /// What answers in its place once it was found to be damaged, and what was found.
    rebuilt: OnceCell<(Index, String)>,
    commonness: OnceCell<Commonness>,
    background: OnceCell<Option<Background>>,
}

impl<'a> Desk<'a> {
    /// Opens the index, or makes it in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] or [`Error::LibraryDamaged`].
    pub fn new(library: &'a Library) -> Result<Self> {
        let moment = library.moment()?;
        Ok(Self {
            library,
            _moment: moment,
            kept: library.index()?,
            rebuilt: OnceCell::new(),
            commonness: OnceCell::new(),
            background: OnceCell::new(),
        })
    }

    /// What was found to be wrong with the index so far. The answers were right all the same.
    pub fn damage(&self) -> Option<&str> {
        self.rebuilt.get().map(|(_, damage)| damage).or(self.kept.damage.as_ref()).map(String::as_str)
    }

    /// Asks the index; one that turns out to be damaged is made anew, in memory.
    fn ask<T>(&self, question: impl Fn(&Index) -> Result<T>) -> Result<T> {
        if let Some((index, _)) = self.rebuilt.get() {
            return question(index);
        }
        match question(&self.kept.index) {
            Err(Error::IndexDamaged { what }) => {
                let index = self.library.build_index()?;
                question(&self.rebuilt.get_or_init(|| (index, what)).0)
            }
            answer => answer,
        }
    }

    /// A paper of the library as a seed.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where it has no vector.
    pub fn seed(&self, paper: PaperRow, weight: f32) -> Result<Seed> {
        let vector = self.vector_of(paper)?;
        let text = self.library.brief(paper)?;
        let mut is = self.library.titled(&text.title)?;
        is.push(paper);
        Ok(Seed { name: self.library.paper(paper)?.id().to_string(), text, vector, weight, is, is_question: false })
    }

    /// What somebody likes and dislikes, as a question. What is rated is known, and so never in the answer. A paper without a vector
    /// says nothing; the second list tells of each why.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub fn taste(&self, ratings: &[Rating]) -> Result<(Query, Vec<String>)> {
        let mut query = Query { without: ratings.iter().map(|rating| rating.paper).collect(), ..Query::default() };
        let mut silent = Vec::new();
        for &Rating { paper, rating, .. } in ratings {
            match self.seed(paper, rating.abs()) {
                Ok(seed) if rating > 0.0 => query.likes.push(seed),
                Ok(seed) => query.dislikes.push(seed),
                Err(error @ Error::Usage { .. }) => silent.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok((query, silent))
    }

    /// Papers from elsewhere as seeds; those that the library has are its own, and are not embedded again.
    ///
    /// # Errors
    ///
    /// [`Error::OtherModel`] if the library's vectors are of another model than the embedder's.
    pub fn seeds(&self, papers: &[Paper], embedder: &Embedder, weight: f32) -> Result<Vec<Seed>> {
        self.library.require_space(embedder.space())?;
        let known = papers.iter().map(|paper| self.library.known_as(paper)).collect::<Result<Vec<_>>>()?;
        let own = known.iter().map(|rows| self.own_vector(rows)).collect::<Result<Vec<_>>>()?;
        let texts: Vec<String> = papers.iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(paper, _)| paper.embedding_text()).collect();
        let vectors = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>(), Role::Document)?;
        let mut embedded = (0..texts.len()).map(|at| rounded(&vectors, at));
        let mut seeds = Vec::with_capacity(papers.len());
        for ((paper, mut is), own) in papers.iter().zip(known).zip(own) {
            is.extend(self.library.titled(&paper.title)?);
            let vector = own.or_else(|| embedded.next()).unwrap_or_default();
            seeds.push(Seed { name: paper.id().to_string(), text: Brief::from(paper), vector, weight, is, is_question: false });
        }
        Ok(seeds)
    }

    /// The vector of the first of these papers that has one.
    fn own_vector(&self, papers: &[PaperRow]) -> Result<Option<Vec<f32>>> {
        let vector = |paper: &PaperRow| self.ask(|index| index.row_of(paper.0)?.map(|row| index.vector(row)).transpose()).transpose();
        papers.iter().find_map(vector).transpose()
    }

    /// A question in words as a seed.
    ///
    /// # Errors
    ///
    /// As [`Desk::seeds`].
    pub fn text(&self, text: &str, embedder: &Embedder, weight: f32) -> Result<Seed> {
        self.library.require_space(embedder.space())?;
        let vector = rounded(&embedder.embed(&[text], Role::Query)?, 0);
        let brief = Brief { abstract_text: text.to_owned(), ..Brief::default() };
        Ok(Seed { name: text.chars().take(LONGEST_NAME).collect(), text: brief, vector, weight, is: Vec::new(), is_question: true })
    }

    /// The papers most like the seeds, without them: [`Desk::answer`] to a query of papers that count alike.
    ///
    /// # Errors
    ///
    /// As [`Desk::answer`] and [`Desk::seed`].
    pub fn similar(&self, seeds: &[PaperRow], options: &Options) -> Result<Vec<Hit>> {
        let likes = seeds.iter().map(|&seed| self.seed(seed, 1.0)).collect::<Result<Vec<_>>>()?;
        self.answer(&Query { likes, ..Query::default() }, options)
    }

    /// The papers nearest to a text.
    ///
    /// # Errors
    ///
    /// As [`Desk::answer`] and [`Desk::text`].
    pub fn search(&self, text: &str, embedder: &Embedder, options: &Options) -> Result<Vec<Hit>> {
        self.answer(&Query { likes: vec![self.text(text, embedder, 1.0)?], ..Query::default() }, options)
    }

    /// The papers that a query asks for, the best first, with reasons.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if nothing is liked or an option means nothing, and those of the library.
    pub fn answer(&self, query: &Query, options: &Options) -> Result<Vec<Hit>> {
        self.explain(query, options, self.rank(query, options)?)
    }

    /// As [`Desk::answer`], without reasons, for those who ask much and show little.
    ///
    /// # Errors
    ///
    /// As [`Desk::answer`].
    pub fn without_reasons(&self, query: &Query, options: &Options) -> Result<Vec<Hit>> {
        let hit = |Ranked { paper: row, score, cosine, .. }| Ok(Hit { row, paper: self.library.paper(row)?, score, cosine, reasons: Vec::new() });
        self.rank(query, options)?.into_iter().map(hit).collect()
    }

    /// The newest papers of those that a filter lets through: the answer where nothing but the filter is asked.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub fn newest(&self, options: &Options) -> Result<Vec<Hit>> {
        let filter = Filter { limit: Some(options.count), ..options.filter.clone() };
        let rows = self.library.newest(&filter)?;
        let seen = self.library.seen(&options.profile, &rows)?;
        let hit = |(row, seen): (PaperRow, Option<String>)| {
            let reasons = seen.map(|when| Reason::Seen { when }).into_iter().collect();
            Ok(Hit { row, paper: self.library.paper(row)?, score: 0.0, cosine: None, reasons })
        };
        rows.into_iter().zip(seen).map(hit).collect()
    }

    /// The numbers, scores and cosines of the papers that [`Desk::answer`] gives.
    ///
    /// # Errors
    ///
    /// As [`Desk::answer`].
    pub fn rank(&self, query: &Query, options: &Options) -> Result<Vec<Ranked>> {
        options.check()?;
        if query.likes.is_empty() {
            return Err(Error::usage("no paper and no text to start from"));
        }
        let looks_at_texts = options.blend > 0.0 || options.recent.is_some() || options.popular > 0.0;
        // The nearest to one vector are the answer already.
        let is_plain = query.likes.len() == 1 && query.dislikes.is_empty() && !looks_at_texts && options.diversity == 0.0;
        let size = match query.likes.len() {
            _ if is_plain => options.count,
            1 => POOL,
            _ => POOL_OF_SEVERAL,
        };
        let learnt = self.learnt(query, options)?;
        let pool = self.pool(query, options, size, learnt.as_ref())?;
        let briefs =
            if looks_at_texts { pool.iter().map(|candidate| self.library.brief(candidate.paper)).collect::<Result<_>>()? } else { Vec::new() };
        let in_pool: HashSet<PaperRow> = pool.iter().map(|candidate| candidate.paper).collect();
        let mut ranked = rank(query, options, pool, &briefs, learnt.clone());
        if ranked.len() == in_pool.len() && options.count > ranked.len() && !is_plain {
            let beyond = self.pool(query, options, options.count.saturating_add(size), learnt.as_ref())?;
            rank::append(&mut ranked, beyond.into_iter().filter(|candidate| !in_pool.contains(&candidate.paper)), options.count);
        }
        Ok(ranked)
    }

    /// The papers that may be in the answer.
    fn pool(&self, query: &Query, options: &Options, size: usize, learnt: Option<&Direction>) -> Result<Vec<Candidate>> {
        // One that is damaged is made anew, and until then every search is exact.
        if matches!(options.search, Search::Graph(_)) && !self.kept.index.has_graph() && self.kept.damage.is_none() {
            return Err(no_graph());
        }
        let allowed = self.library.matching(&options.filter)?;
        let without: HashSet<PaperRow> = query.rows().chain(query.without.iter().copied()).collect();
        let by_words = match options.blend {
            0.0 => Vec::new(),
            1.0 => self.by_words(query, options, size)?,
            _ => self.by_words(query, options, BY_WORDS)?,
        };
        // A question that is to be answered by its words alone has nothing to do with what is near.
        let words_only = options.blend == 1.0 && query.likes.iter().all(|seed| seed.is_question);
        let directions =
            if words_only || self.ask(|index| Ok(index.is_empty()))? { Vec::new() } else { strategy::directions(query, options.strategy, learnt) };
        let mean = strategy::mean(&query.likes);
        self.ask(|index| {
            let labels = allowed.as_ref().map(|papers| papers.iter().map(|paper| paper.0).collect::<Vec<_>>());
            let mut within = labels.as_deref().map_or_else(|| Ok(RowSet::all(index.len())), |labels| index.rows_of(labels))?;
            for seed in &without {
                index.row_of(seed.0)?.into_iter().for_each(|row| within.remove(row));
            }
            let mut rows = Vec::new();
            for (number, direction) in directions.iter().enumerate() {
                let k = match (number, directions.len() - 1) {
                    (_, 0) => size,
                    // All of them are asked for.
                    (0, _) if size >= within.len() => size,
                    (0, _) => size - size / 3,
                    (_, others) => (size / 3).div_ceil(others),
                };
                rows.extend(index.nearest(direction, k, options.search, &within)?.into_iter().map(|near| near.row));
            }
            rows.sort_unstable();
            rows.dedup();
            let mut pool = Vec::with_capacity(rows.len() + by_words.len());
            for row in rows {
                let vector = index.vector(row)?;
                pool.push(Candidate { paper: PaperRow(index.label(row)?), cosine: Some(dot(&vector, &mean)), vector });
            }
            let found: HashSet<PaperRow> = pool.iter().map(|candidate| candidate.paper).collect();
            for &paper in by_words.iter().filter(|paper| !found.contains(paper) && !without.contains(paper)) {
                let vector = index.row_of(paper.0)?.map(|row| index.vector(row)).transpose()?;
                let cosine = vector.as_ref().map(|vector| dot(vector, &mean));
                pool.push(Candidate { paper, cosine, vector: vector.unwrap_or_else(|| vec![0.0; mean.len()]) });
            }
            Ok(pool)
        })
    }

    /// What the likes have in common, if they are enough.
    fn learnt(&self, query: &Query, options: &Options) -> Result<Option<Direction>> {
        if options.strategy != Strategy::Auto || options.blend == 1.0 || query.likes.len() < strategy::LEARNS_FROM {
            return Ok(None);
        }
        if self.background.get().is_none() {
            let rows = self.library.sample(SAMPLE)?;
            let vector = |row: &PaperRow| self.own_vector(&[*row]).transpose();
            let vectors = rows.iter().filter_map(vector).collect::<Result<Vec<_>>>()?;
            let _ = self.background.set(Background::of(&vectors));
        }
        let background = self.background.get().and_then(Option::as_ref);
        Ok(background.map(|background| background.direction(&strategy::weighted_mean(&query.likes))))
    }

    /// Of questions in words, the papers that have their rarest words. A word that many papers have brings none that is not near
    /// anyway, unless nothing but words counts.
    fn by_words(&self, query: &Query, options: &Options, count: usize) -> Result<Vec<PaperRow>> {
        let most = if options.blend < 1.0 { RARE } else { 1.0 };
        let commonness = self.commonness()?;
        let texts = query.likes.iter().filter(|seed| seed.is_question).map(|seed| seed.text.abstract_text.as_str());
        let asked: BTreeSet<&str> = texts.flat_map(words).collect();
        let mut rarest = Vec::new();
        for word in asked {
            let stem = stem(word);
            if !is_stop_word(&stem) && commonness.is_rare(Term::of(&stem), most) {
                rarest.push((self.library.papers_with(word)?, word.to_owned()));
            }
        }
        rarest.sort();
        let words: Vec<String> = rarest.into_iter().filter(|(papers, _)| *papers > 0).take(RAREST).map(|(_, word)| word).collect();
        self.library.with_any_word(&words, &options.filter, count)
    }

    /// How common words are in the library.
    fn commonness(&self) -> Result<&Commonness> {
        match self.commonness.get() {
            Some(commonness) => Ok(commonness),
            None => {
                let counted = Commonness::of(self.library)?;
                Ok(self.commonness.get_or_init(|| counted))
            }
        }
    }

    /// Papers with the reasons for their places, in the order given.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub fn explain(&self, query: &Query, options: &Options, ranked: Vec<Ranked>) -> Result<Vec<Hit>> {
        let commonness = self.commonness()?;
        let of_seeds: Vec<_> = query.likes.iter().map(|seed| phrases(&seed.text)).collect();
        let seen = self.library.seen(&options.profile, &ranked.iter().map(|ranked| ranked.paper).collect::<Vec<_>>())?;
        let explain = |(ranked, seen): (Ranked, Option<String>)| {
            let Ranked { paper: row, score, cosine, cost, gain_of_day, gain_of_votes, .. } = ranked;
            let vector = &ranked.features.vector;
            let paper = self.library.paper(row)?;
            let mut reasons = Vec::new();
            if let Some((number, seed, of_seed)) = nearest(&query.likes, vector) {
                reasons.extend(cosine.map(|_| Reason::Nearest { seed: seed.name.clone(), title: seed.title().to_owned(), cosine: of_seed }));
                let phrases = commonness.shared(seed, &of_seeds[number], &Brief::from(&paper));
                reasons.extend((!phrases.is_empty()).then_some(Reason::Shares { phrases }));
            }
            if let Some((_, seed, cosine)) = nearest(&query.dislikes, vector).filter(|(.., cosine)| *cosine > 0.0) {
                reasons.push(Reason::Disliked { seed: seed.name.clone(), title: seed.title().to_owned(), cosine, cost });
            }
            reasons.extend((gain_of_day > 0.0).then_some(Reason::Recent { gain: gain_of_day }));
            let votes = paper.upvotes.unwrap_or(0);
            reasons.extend((gain_of_votes > 0.0).then_some(Reason::Popular { votes, gain: gain_of_votes }));
            reasons.extend(seen.map(|when| Reason::Seen { when }));
            Ok(Hit { row, paper, score, cosine, reasons })
        };
        ranked.into_iter().zip(seen).map(explain).collect()
    }

    fn vector_of(&self, paper: PaperRow) -> Result<Vec<f32>> {
        self.own_vector(&[paper])?.ok_or_else(|| {
            let id = self.library.paper(paper).map(|paper| paper.id().to_string()).unwrap_or_default();
            Error::Usage {
                message: format!("{id} has no abstract, and so no vector"),
                hint: Some("`paperkin add --title-only FILE` embeds such papers by their title; `paperkin search TITLE` asks with it".to_owned()),
            }
        })
    }
}

/// The seed with the highest cosine to a vector; its number, itself, and the cosine.
fn nearest<'s>(seeds: &'s [Seed], vector: &[f32]) -> Option<(usize, &'s Seed, f32)> {
    let cosines = seeds.iter().enumerate().map(|(number, seed)| (number, seed, dot(&seed.vector, vector)));
    cosines.reduce(|best, next| if next.2 > best.2 { next } else { best })
}

fn no_graph() -> Error {
    Error::Usage {
        message: "the library's index has no graph, and so every search is exact".to_owned(),
        hint: Some(format!("a library has one from {GRAPH_FROM} papers on; `--search exact` and `--search auto` need none")),
    }
}

/// A query is rounded to f16 as stored vectors are, so that a text finds itself with the same number everywhere.
fn rounded(vectors: &Vectors, row: usize) -> Vec<f32> {
    vectors.row(RowId(row as u32)).iter().map(|&x| half::f16::from_f32(x).to_f32()).collect()
}
