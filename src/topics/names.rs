//! What a topic is called: phrases that many of its papers have and few others.
//!
//! ```text
//! a phrase tells   (p + 2t) · ln(p / q) · (words + 1)^0.5
//! ```
//!
//! with `p` and `q` the share of the topic's papers and of all papers that have it, and `t` that of the topic's papers that have it
//! in their title, where verbs are rare; this is class-based TF-IDF (Grootendorst, "BERTopic", 2022) with documents in place of
//! counts, so that no paper speaks louder than another. A name is made of phrases that
//! at least half of the topic's papers have, and where there are not two of those, of weaker ones in parentheses.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::Keyword;
use super::graph::Papers;
use crate::library::Brief;
use crate::phrase::{Phrase, phrases};

/// Keywords of a topic.
const KEYWORDS: usize = 10;
/// Phrases in a name.
const IN_NAME: usize = 3;
/// Strong ones that are enough.
const ENOUGH: usize = 2;
/// The share of the topic's papers that have a strong one.
const STRONG: f32 = 0.5;

struct Candidate {
    stems: String,
    text: String,
    share: f32,
    tells: f32,
}

/// The name and the keywords of each group.
pub(super) fn names(papers: &Papers, groups: &[Vec<usize>]) -> Vec<(String, Vec<Keyword>)> {
    let of_papers: Vec<Vec<Phrase>> = papers.briefs.par_iter().map(in_sentences).collect();
    let in_title = |brief: &Brief| phrases(&brief.title).into_iter().map(|phrase| phrase.stems).collect();
    let titles: Vec<HashSet<String>> = papers.briefs.par_iter().map(in_title).collect();
    let mut documents: HashMap<&str, u32> = HashMap::new();
    of_papers.iter().flatten().for_each(|phrase| *documents.entry(phrase.stems.as_str()).or_default() += 1);
    let candidates = |group: &Vec<usize>| candidates(group, &of_papers, &titles, &documents);
    let candidates: Vec<Vec<Candidate>> = groups.par_iter().map(candidates).collect();
    let mut taken = HashSet::new();
    candidates.into_iter().map(|candidates| name(candidates, &mut taken)).collect()
}

/// The phrases of a paper, as they stand in a sentence where they do: titles have capitals of their own.
fn in_sentences(brief: &Brief) -> Vec<Phrase> {
    phrases(&format!("{}. {}", brief.abstract_text, brief.title))
}

/// The phrases of a topic, the most telling first, none of them with a word of one that tells more.
fn candidates(group: &[usize], of_papers: &[Vec<Phrase>], titles: &[HashSet<String>], documents: &HashMap<&str, u32>) -> Vec<Candidate> {
    let mut inside: HashMap<&str, (u32, HashMap<&str, u32>)> = HashMap::new();
    for phrase in group.iter().flat_map(|row| &of_papers[*row]) {
        let (count, forms) = inside.entry(phrase.stems.as_str()).or_default();
        *count += 1;
        *forms.entry(phrase.text.as_str()).or_default() += 1;
    }
    let mut in_titles: HashMap<&str, u32> = HashMap::new();
    group.iter().flat_map(|row| &titles[*row]).for_each(|stems| *in_titles.entry(stems.as_str()).or_default() += 1);
    let (papers, all) = (group.len() as f32, of_papers.len() as f32);
    // In a topic of a few papers a phrase of one of them says nothing of the others.
    let least = if group.len() < 3 { 1 } else { 2 };
    let mut found: Vec<Candidate> = inside
        .into_iter()
        .filter(|(_, (count, _))| *count >= least)
        .map(|(stems, (count, forms))| {
            let (share, of_all) = (count as f32 / papers, documents[stems] as f32 / all);
            let words = stems.split(' ').count() as f32;
            let in_titles = in_titles.get(stems).copied().unwrap_or(0) as f32 / papers;
            let tells = (share + 2.0 * in_titles) * (share / of_all).ln().max(0.0) * (words + 1.0).sqrt();
            Candidate { stems: stems.to_owned(), text: usual(&forms), share, tells }
        })
        .collect();
    // What all papers have tells nothing, unless there is but one topic.
    match group.len() < of_papers.len() {
        true => found.retain(|candidate| candidate.tells > 0.0),
        false => found.iter_mut().for_each(|candidate| candidate.tells = candidate.share),
    }
    found.sort_by(|a, b| b.tells.total_cmp(&a.tells).then_with(|| a.stems.cmp(&b.stems)));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in found {
        // A word is said once.
        let repeats = |other: &Candidate| candidate.stems.split(' ').any(|word| other.stems.split(' ').any(|other| other == word));
        if kept.len() < 2 * KEYWORDS && !kept.iter().any(repeats) {
            kept.push(candidate);
        }
    }
    kept
}

/// The way in which most papers write it; of equals the one with fewer capitals, as titles have capitals of their own.
fn usual(forms: &HashMap<&str, u32>) -> String {
    let capitals = |text: &str| text.chars().filter(|c| c.is_uppercase()).count();
    let mut forms: Vec<(&str, u32)> = forms.iter().map(|(text, count)| (*text, *count)).collect();
    forms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| capitals(a.0).cmp(&capitals(b.0))).then_with(|| a.0.cmp(b.0)));
    forms.first().map(|(text, _)| (*text).to_owned()).unwrap_or_default()
}

fn name(candidates: Vec<Candidate>, taken: &mut HashSet<String>) -> (String, Vec<Keyword>) {
    let free = |candidate: &&Candidate| !taken.contains(&candidate.stems);
    let strong: Vec<&Candidate> = candidates.iter().filter(free).filter(|candidate| candidate.share >= STRONG).take(IN_NAME).collect();
    let missing = if strong.len() < ENOUGH { IN_NAME - strong.len() } else { 0 };
    let weak: Vec<&Candidate> = candidates.iter().filter(free).filter(|candidate| candidate.share < STRONG).take(missing).collect();
    let join = |phrases: &[&Candidate]| phrases.iter().map(|candidate| candidate.text.as_str()).collect::<Vec<_>>().join(", ");
    let name = match (join(&strong), join(&weak)) {
        (strong, weak) if weak.is_empty() => strong,
        (strong, weak) if strong.is_empty() => format!("({weak})"),
        (strong, weak) => format!("{strong} ({weak})"),
    };
    let used: Vec<String> = strong.into_iter().chain(weak).map(|candidate| candidate.stems.clone()).collect();
    taken.extend(used);
    let keyword = |Candidate { text, share, .. }: Candidate| Keyword { text, share };
    (name, candidates.into_iter().take(KEYWORDS).map(keyword).collect())
}
