//! Phrases of a text that may be names: one to three expressions that follow each other with a space between them.
//!
//! An expression is a word, or words joined by hyphens. A run of expressions ends at a stop word and at anything but a space. A
//! phrase also stands inside expressions, as "image" does in "text-to-image": that counts for how common it is, but as a name it
//! has to stand whole somewhere.

use std::collections::HashMap;
use std::ops::Range;

use crate::phrase::{Gap, Sound, Term, TermMap, Word, is_stop_word, stem, words};

/// The most expressions in a phrase.
const EXPRESSIONS: usize = 3;
/// The most words in it.
const WORDS: usize = 5;

/// A phrase where it stands.
pub(super) struct Span {
    /// Which phrase it is.
    pub key: Term,
    /// Its words, by their numbers.
    pub words: Range<usize>,
    /// True if it begins and ends with expressions.
    pub is_whole: bool,
    /// True if it is whole and nothing follows it in its run.
    pub ends_run: bool,
    /// True if it may be a name by the sound of its words.
    pub sounds: bool,
}

/// Calls `each` with every phrase of a text.
pub(super) fn for_each(text: &[Word], mut each: impl FnMut(Span)) {
    let mut at = 0;
    while at < text.len() {
        let run = run(text, at);
        for first in run.clone() {
            phrases_from(text, &run, first, &mut each);
        }
        at = run.end.max(at + 1);
    }
}

/// The expression that begins with a word.
fn expression(text: &[Word], first: usize) -> Range<usize> {
    let more = text[first + 1..].iter().take_while(|word| word.before == Gap::Hyphen).count();
    first..first + 1 + more
}

/// The run that begins with a word; empty if that is a stop word.
fn run(text: &[Word], first: usize) -> Range<usize> {
    let mut end = first;
    while end < text.len() && (end == first || text[end].before == Gap::Space) {
        let next = expression(text, end);
        if text[next.clone()].iter().all(|word| word.usage.is_stop()) {
            // Past it, if it is what the run would begin with.
            return if end == first { next.end..next.end } else { first..end };
        }
        end = next.end;
    }
    first..end
}

fn phrases_from(text: &[Word], run: &Range<usize>, first: usize, each: &mut impl FnMut(Span)) {
    let begins = first == run.start || text[first].before == Gap::Space;
    let (mut key, mut sound, mut expressions, mut has_stop) = (text[first].term, Sound::of(text[first].usage), 1, false);
    for last in first..run.end.min(first + WORDS) {
        let word = &text[last];
        if last > first {
            key = key.then(word.term);
            sound = sound.and(word.usage);
            expressions += usize::from(word.before == Gap::Space);
        }
        has_stop |= word.usage.is_stop();
        let ends = last + 1 == run.end || text[last + 1].before == Gap::Space;
        let is_whole = begins && ends && expressions <= EXPRESSIONS;
        // "image" of "text-to-image" is a phrase, but "to image" is none; nor is "trade-off" the name of anything.
        if !is_whole && (word.usage.is_stop() || text[first].usage.is_stop() || last - first >= 3) || has_stop && expressions == 1 {
            continue;
        }
        each(Span { key, words: first..last + 1, is_whole, ends_run: is_whole && last + 1 == run.end, sounds: sound.is_a_name() });
    }
}

/// The key of a phrase.
pub(super) fn key(words: &[Word]) -> Term {
    let mut terms = words.iter().map(|word| word.term);
    let first = terms.next().unwrap_or(Term::of(""));
    terms.fold(first, Term::then)
}

/// Acronyms: the key of each, and that of what it stands for, where a text says so: "large language models (LLMs)".
pub(super) fn acronyms<'t>(texts: impl Iterator<Item = (&'t str, &'t [Word])>) -> TermMap<Term> {
    let mut told: HashMap<(Term, Term), usize> = HashMap::new();
    for (text, words) in texts {
        for at in text.match_indices('(').map(|(at, _)| at) {
            if let Some(pair) = acronym(text, words, at) {
                *told.entry(pair).or_default() += 1;
            }
        }
    }
    let mut told: Vec<((Term, Term), usize)> = told.into_iter().collect();
    told.sort_by_key(|(pair, count)| (std::cmp::Reverse(*count), *pair));
    let mut acronyms = TermMap::default();
    // What most texts say it stands for.
    told.into_iter().for_each(|((short, long), _)| _ = acronyms.entry(short).or_insert(long));
    acronyms
}

/// The acronym in the parentheses that open at a place, and what it stands for.
fn acronym(text: &str, read: &[Word], open: usize) -> Option<(Term, Term)> {
    let inside = text[open + 1..].split_once(')')?.0;
    let letters = inside.trim_end_matches('s');
    let is_acronym = (2..=6).contains(&letters.len()) && letters.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_acronym || letters.chars().filter(char::is_ascii_uppercase).count() < 2 {
        return None;
    }
    let end = read.partition_point(|word| word.range().end <= open);
    let start = end.checked_sub(letters.len())?;
    let long = &read[start..end];
    let begins_so = |(word, letter): (&Word, char)| text[word.range()].chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter));
    let follows = long.iter().skip(1).all(|word| word.before != Gap::Break) && text[long.last()?.range().end..open] == *" ";
    if !follows || !long.iter().zip(letters.chars()).all(begins_so) {
        return None;
    }
    // "large" of large language models is a stop word.
    let long = &long[long.iter().position(|word| !word.usage.is_stop())?..];
    let short = words(inside).next().map(stem).filter(|stem| !is_stop_word(stem))?;
    (long.len() > 1).then(|| (Term::of(&short), key(long)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrase::read;

    fn whole(text: &str, named: bool) -> Vec<&str> {
        let read = read(text);
        let mut found = Vec::new();
        for_each(&read, |span| {
            if span.is_whole && (span.sounds || !named) {
                found.push(&text[read[span.words.start].range().start..read[span.words.end - 1].range().end]);
            }
        });
        found
    }

    #[test]
    fn phrases_are_whole_expressions_and_names_are_nouns() {
        let text = "We learn text-to-image diffusion models, and edit images.";
        assert_eq!(
            whole(text, false),
            [
                "learn",
                "learn text-to-image",
                "learn text-to-image diffusion",
                "text-to-image diffusion",
                "text-to-image diffusion models",
                "diffusion",
                "diffusion models",
                "models",
                "edit",
                "edit images",
                "images"
            ]
        );
        assert_eq!(whole("A world model of the robot", true), ["world model", "robot"]);
        assert_eq!(whole("", false), [""; 0]);
        assert_eq!(whole("of the and", false), [""; 0]);
    }

    #[test]
    fn acronyms_are_what_their_initials_say() {
        let find = |text: &str| acronyms([(text, &read(text)[..])].into_iter());
        let found = find("We use large language models (LLMs) and reinforcement learning (RL), not nonsense (NON) or graphs (see below).");
        let expected = [("llm", "language models"), ("rl", "reinforcement learning")];
        assert_eq!(found.len(), 2, "{found:?}");
        for (short, long) in expected {
            assert_eq!(found[&Term::of(short)], key(&read(long)), "{short}");
        }
        assert!(find("(LLM)").is_empty() && find("models (").is_empty() && find("déjà (DÉ)").is_empty());
    }
}
