//! What a topic is called: phrases that many of its papers have and few others.
//!
//! ```text
//! a phrase tells   f^0.8 · ln((f + 0.02) / (g + 0.02)) · (0.5 + min(0.5, t))     1.3 times that from f = 1/2 on, 0.65 of one word
//! ```
//!
//! with `f` the share of the topic's papers that have it, `t` the share of these that have it in their title, and `g` the share
//! outside: of the other papers, mixed with that of abstracts in general, which counts where there are few others. This is
//! class-based TF-IDF (Grootendorst, "BERTopic", 2022) with papers in place of counts, so that no paper speaks louder than another.
//!
//! A name is two phrases, or three; one that fewer than half of the topic's papers have stands in parentheses. A phrase names one
//! topic only, and no word is said twice in a name.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::Keyword;
use super::papers::Papers;
use super::spans::{self, Span};
use crate::library::Brief;
use crate::phrase::{Term, TermMap, Word, is_common, stem, usual_share, words};

/// Keywords of a topic.
const KEYWORDS: usize = 10;
/// Phrases in a name.
const IN_NAME: usize = 3;
/// The share of the topic's papers that have a strong one.
pub(super) const STRONG: f32 = 0.5;
/// The least share of a topic's papers.
const LEAST: f32 = 0.05;
/// The least share of a topic's titles with a word that is to name it by itself.
const IN_TITLES: f32 = 0.04;
/// Papers outside that count as much as abstracts in general.
const PRIOR: f32 = 10.0;
/// The least `ln(f / g)`.
const RARITY: f32 = 0.4;
/// A third phrase tells at least so much of what the first does.
const THIRD: f32 = 0.6;
/// Papers that are asked how they write a phrase.
const ASKED: usize = 300;

/// A topic's name and its keywords; the first keywords are those of the name.
#[derive(Default)]
pub(super) struct Named {
    pub in_name: usize,
    pub keywords: Vec<Keyword>,
}

impl Named {
    /// The phrases of the name as one text; without any, the title of the medoid.
    pub(super) fn label(&self, title: &str) -> String {
        let phrases = &self.keywords[..self.in_name];
        let strong = phrases.iter().filter(|phrase| phrase.share >= STRONG).count();
        let join = |phrases: &[Keyword]| phrases.iter().map(|phrase| phrase.text.as_str()).collect::<Vec<_>>().join(", ");
        match (join(&phrases[..strong]), join(&phrases[strong..])) {
            (strong, weak) if strong.is_empty() && weak.is_empty() => title.to_owned(),
            (strong, weak) if weak.is_empty() => strong,
            (strong, weak) if strong.is_empty() => format!("({weak})"),
            (strong, weak) => format!("{strong} ({weak})"),
        }
    }
}

/// The names of groups of some papers.
pub(super) fn names(papers: &Papers, rows: &[usize], groups: &[Vec<usize>]) -> Vec<Named> {
    let abstracts = rows.iter().map(|row| (papers.briefs[*row].abstract_text.as_str(), papers.words[*row][1].as_slice()));
    let texts = Texts { papers, acronyms: spans::acronyms(abstracts) };
    let keys = texts.frequent(groups);
    let counts = texts.count(rows, groups, &keys);
    let mut candidates = texts.candidates(rows.len(), groups, &counts);
    // A phrase belongs to the topic of which it tells most.
    let mut best: TermMap<(f32, usize)> = TermMap::default();
    for (number, candidates) in candidates.iter().enumerate() {
        for candidate in candidates {
            let best = best.entry(candidate.key).or_insert((candidate.tells, number));
            if candidate.tells > best.0 {
                *best = (candidate.tells, number);
            }
        }
    }
    candidates.iter_mut().enumerate().for_each(|(number, candidates)| candidates.retain(|candidate| best[&candidate.key].1 == number));
    candidates.par_iter().zip(groups).map(|(candidates, group)| texts.name(candidates, group)).collect()
}

/// A phrase that may name a topic.
struct Candidate {
    key: Term,
    /// Those of its words.
    terms: Vec<Term>,
    /// The papers of the topic that have it.
    papers: Vec<u32>,
    share: f32,
    tells: f32,
    /// One of its places: a row, title or abstract, words.
    place: Place,
}

type Place = (u32, usize, std::ops::Range<usize>);

/// What was counted of a phrase over all papers.
struct Count {
    /// The papers that have it, and whether in their titles.
    papers: Vec<(u32, bool)>,
    stands: u32,
    whole: u32,
    ends: u32,
    place: Place,
}

struct Texts<'p> {
    papers: &'p Papers,
    acronyms: TermMap<Term>,
}

impl Texts<'_> {
    /// Every phrase of a paper, first those of its title; an acronym is what it stands for.
    fn for_each(&self, row: usize, mut each: impl FnMut(Span, usize)) {
        for (part, words) in self.papers.words[row].iter().enumerate() {
            spans::for_each(words, |mut span| {
                if let Some(long) = self.acronyms.get(&span.key).filter(|_| span.words.len() == 1) {
                    span.key = *long;
                }
                each(span, part);
            });
        }
    }

    /// Phrases that enough papers of some topic have to name it.
    fn frequent(&self, groups: &[Vec<usize>]) -> Vec<Term> {
        let of_group = |group: &Vec<usize>| {
            // Of each phrase, how many papers have it, how many titles, and the last that was counted.
            let mut seen: TermMap<(u32, u32, u32)> = TermMap::default();
            for &row in group {
                self.for_each(row, |span, part| {
                    if !span.sounds {
                        return;
                    }
                    let (papers, titles, last) = seen.entry(span.key).or_insert((0, 0, u32::MAX));
                    if *last != row as u32 {
                        (*papers, *titles, *last) = (*papers + 1, *titles + u32::from(part == 0), row as u32);
                    }
                });
            }
            let is_frequent = |&(papers, titles, _): &(u32, u32, u32)| {
                // In a topic of a few papers a title says what all are about.
                let enough = papers >= 2 || group.len() <= 4 && titles > 0;
                enough && papers as f32 >= LEAST * group.len() as f32
            };
            seen.retain(|_, count| is_frequent(count));
            seen.into_keys().collect::<Vec<Term>>()
        };
        let mut keys = groups.par_iter().flat_map_iter(of_group).collect::<Vec<Term>>();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Counts some phrases in all papers.
    fn count(&self, rows: &[usize], groups: &[Vec<usize>], keys: &[Term]) -> Vec<Count> {
        let numbers: TermMap<u32> = keys.iter().zip(0..).map(|(key, number)| (*key, number)).collect();
        let of_row = |row: &usize| {
            let mut found: Vec<(u32, bool, bool, bool, bool, Place)> = Vec::new();
            self.for_each(*row, |span, part| {
                if let Some(&number) = numbers.get(&span.key) {
                    found.push((number, part == 0, span.is_whole, span.ends_run, span.sounds, (*row as u32, part, span.words)));
                }
            });
            found
        };
        let new = || Count { papers: Vec::new(), stands: 0, whole: 0, ends: 0, place: (0, 0, 0..0) };
        let mut counts: Vec<Count> = keys.iter().map(|_| new()).collect();
        // Topic by topic, so that what is kept at a time is not all.
        let placed: HashSet<usize> = groups.iter().flatten().copied().collect();
        let left: Vec<usize> = rows.iter().copied().filter(|row| !placed.contains(row)).collect();
        for group in groups.iter().chain([&left]) {
            let found: Vec<_> = group.par_iter().map(of_row).collect();
            for (number, in_title, is_whole, ends_run, sounds, place) in found.into_iter().flatten() {
                let count = &mut counts[number as usize];
                match count.papers.last_mut() {
                    Some((row, _)) if *row == place.0 => {}
                    _ => count.papers.push((place.0, in_title)),
                }
                count.stands += 1;
                count.whole += u32::from(is_whole);
                count.ends += u32::from(ends_run);
                // An acronym is written with one word, but is a name of several.
                if sounds && is_whole && place.2.len() > count.place.2.len() {
                    count.place = place;
                }
            }
        }
        counts
    }

    /// What may name each topic, the most telling first.
    fn candidates(&self, all: usize, groups: &[Vec<usize>], counts: &[Count]) -> Vec<Vec<Candidate>> {
        let mut own: HashMap<u32, usize> = HashMap::new();
        groups.iter().enumerate().for_each(|(number, group)| own.extend(group.iter().map(|row| (*row as u32, number))));
        let mut candidates: Vec<Vec<Candidate>> = groups.iter().map(|_| Vec::new()).collect();
        for count in counts.iter().filter(|count| !count.place.2.is_empty()) {
            let (row, part, words) = &count.place;
            let words = &self.papers.words[*row as usize][*part][words.clone()];
            let is_open = words.len() > 1 || !is_common(words[0].term);
            // Part of something else, as "learning" of "machine learning", it is no name.
            if count.whole * 2 < count.stands || is_open && count.ends * 4 < count.whole {
                continue;
            }
            let mut of_topic: HashMap<usize, (Vec<u32>, u32)> = HashMap::new();
            for (row, in_title) in &count.papers {
                if let Some(number) = own.get(row) {
                    let (papers, titles) = of_topic.entry(*number).or_default();
                    papers.push(*row);
                    *titles += u32::from(*in_title);
                }
            }
            for (number, (papers, titles)) in of_topic {
                let (tells, share) = tells(words, count.papers.len(), (papers.len(), titles), (groups[number].len(), all));
                if tells > 0.0 {
                    let terms = words.iter().map(|word| word.term).collect();
                    candidates[number].push(Candidate { key: spans::key(words), terms, papers, share, tells, place: count.place.clone() });
                }
            }
        }
        for candidates in &mut candidates {
            without_parts(candidates);
            candidates.sort_by(|a, b| b.tells.total_cmp(&a.tells).then_with(|| self.text(&a.place).cmp(self.text(&b.place))));
        }
        candidates
    }

    fn text(&self, (row, part, words): &Place) -> &str {
        let (brief, read) = (&self.papers.briefs[*row as usize], &self.papers.words[*row as usize][*part]);
        let text = [&brief.title, &brief.abstract_text][*part];
        &text[read[words.start].range().start..read[words.end - 1].range().end]
    }

    /// True if two phrases share a word, or nearly.
    fn repeats(&self, one: &Candidate, other: &Candidate) -> bool {
        let stems = |phrase: &Candidate| words(self.text(&phrase.place)).map(stem).collect::<Vec<String>>();
        let others = stems(other);
        stems(one).iter().any(|stem| others.iter().any(|other| stem == other || begin_alike(stem, other)))
    }

    /// Chooses the phrases of a name one after the other: those count most that speak of papers of which none of the name does.
    fn name(&self, candidates: &[Candidate], group: &[usize]) -> Named {
        let mut chosen: Vec<&Candidate> = Vec::new();
        let mut covered: HashSet<u32> = HashSet::new();
        while chosen.len() < IN_NAME {
            let new = |candidate: &Candidate| candidate.papers.iter().filter(|row| !covered.contains(row)).count() as f32;
            let worth = |candidate: &Candidate| match chosen.is_empty() {
                true => candidate.tells,
                false => candidate.tells * (0.5 + 0.5 * new(candidate) / candidate.papers.len() as f32),
            };
            let free = candidates.iter().filter(|candidate| !chosen.iter().any(|other| self.repeats(candidate, other)));
            let scored = free.map(|candidate| (worth(candidate), candidate));
            let Some((worth, next)) = scored.reduce(|best, next| if next.0 > best.0 { next } else { best }) else { break };
            let is_enough = chosen.len() >= 2 && (chosen[1].share < STRONG || next.share < STRONG || worth < THIRD * chosen[0].tells);
            if is_enough {
                break;
            }
            covered.extend(&next.papers);
            chosen.push(next);
        }
        // Strong ones first.
        chosen.sort_by_key(|candidate| candidate.share < STRONG);
        let in_name = chosen.len();
        for candidate in candidates {
            if chosen.len() < KEYWORDS && !chosen.iter().any(|other| self.repeats(candidate, other)) {
                chosen.push(candidate);
            }
        }
        let texts = self.usual(&chosen, group);
        let keywords = chosen.iter().zip(texts).map(|(candidate, text)| Keyword { text, share: candidate.share }).collect();
        Named { in_name, keywords }
    }

    /// How most papers of a topic write some phrases.
    fn usual(&self, phrases: &[&Candidate], group: &[usize]) -> Vec<String> {
        let numbers: TermMap<usize> = phrases.iter().enumerate().map(|(number, phrase)| (phrase.key, number)).collect();
        let mut forms: Vec<HashMap<String, u32>> = phrases.iter().map(|_| HashMap::new()).collect();
        for &row in group.iter().take(ASKED) {
            self.for_each(row, |span, part| {
                if let Some(&number) = numbers.get(&span.key).filter(|_| span.is_whole) {
                    *forms[number].entry(written(&self.papers.briefs[row], &self.papers.words[row], part, &span)).or_default() += 1 + part as u32;
                }
            });
        }
        let usual = |(forms, phrase): (HashMap<String, u32>, &&Candidate)| {
            let most = forms.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
            most.map_or_else(|| self.text(&phrase.place).to_owned(), |(text, _)| text)
        };
        forms.into_iter().zip(phrases).map(usual).collect()
    }
}

/// How much a phrase tells of a topic, and the share of its papers that have it.
fn tells(words: &[Word], with_it: usize, (papers, titles): (usize, u32), (topic, all): (usize, usize)) -> (f32, f32) {
    let (k, n) = (papers as f32, topic as f32);
    let share = k / n;
    let enough = papers >= 2 || topic <= 4 && titles > 0;
    if !enough || share < LEAST || words.len() == 1 && (titles as f32) < (IN_TITLES * n).max(1.0) {
        return (0.0, share);
    }
    let others = (all - topic) as f32;
    let outside = (with_it as f32 - k + 0.5) / (others + 1.0);
    let rarest = words.iter().map(|word| usual_share(word.term) + 0.001).fold(1.0, f32::min);
    let usual = rarest * [1.0, 0.3, 0.1][(words.len() - 1).min(2)];
    let weight = others / (others + PRIOR);
    let rarity = ((share + 0.02) / (weight * outside + (1.0 - weight) * usual + 0.02)).ln();
    if rarity <= RARITY {
        return (0.0, share);
    }
    let counted = if papers == 1 { 0.4 * share } else { share };
    let strong = if share >= STRONG { 1.3 } else { 1.0 };
    let single = if words.len() == 1 { 0.65 } else { 1.0 };
    (counted.powf(0.8) * strong * rarity * single * (0.5 + 0.5 * (2.0 * titles as f32 / k).min(1.0)), share)
}

/// Leaves out phrases that most papers have only as a part of a longer one.
fn without_parts(candidates: &mut Vec<Candidate>) {
    const MOST: f32 = 0.8;
    let papers: TermMap<usize> = candidates.iter().map(|candidate| (candidate.key, candidate.papers.len())).collect();
    let mut parts: HashSet<Term> = HashSet::new();
    for Candidate { terms, papers: whole, .. } in candidates.iter() {
        for first in 0..terms.len() {
            for last in first..terms.len() {
                let part = terms[first + 1..=last].iter().fold(terms[first], |key, term| key.then(*term));
                let is_part = last - first + 1 < terms.len() && papers.get(&part).is_some_and(|papers| whole.len() as f32 >= MOST * *papers as f32);
                if is_part {
                    parts.insert(part);
                }
            }
        }
    }
    candidates.retain(|candidate| !parts.contains(&candidate.key));
}

/// True if two stems begin alike, as "edit" and "editing".
fn begin_alike(one: &str, other: &str) -> bool {
    const SAME: usize = 5;
    let least = one.len().min(other.len());
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    same >= SAME || same == least && least == SAME - 1
}

/// A phrase as a text writes it, but for the capitals that a title or the beginning of a sentence gives it.
fn written(brief: &Brief, read: &[Vec<Word>; 2], part: usize, span: &Span) -> String {
    let (text, read) = ([&brief.title, &brief.abstract_text][part], &read[part]);
    let range = |word: usize| read[word].range();
    let start = range(span.words.start).start;
    let begins = text[..start].trim_end().chars().next_back().is_none_or(|c| matches!(c, '.' | '!' | '?' | ':'));
    let mut out = String::new();
    let mut at = start;
    for word in span.words.clone() {
        out.push_str(&text[at..range(word).start]);
        let form = &text[range(word)];
        let is_usual = form.chars().skip(1).any(char::is_uppercase) || part == 1 && !(begins && word == span.words.start);
        if is_usual {
            out.push_str(form)
        } else {
            out.push_str(&form.to_lowercase())
        }
        at = range(word).end;
    }
    out
}
