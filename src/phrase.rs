//! Words of a text, their stems, and the phrases that two texts share.
//!
//! A word is a run of letters and digits. Its stem is the word in small letters, without accents and without the ending of
//! an English plural (the S stemmer of Harman, "How effective is suffixing?", 1991), so that `Transformers` and
//! `transformer` are one; on co-citations of papers it ranks as well as Porter's. Stop words carry no meaning by themselves.

mod usage;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

pub use usage::{Sound, Usage, is_common, usual_share};

/// The longest phrase, in words.
pub const LONGEST: usize = 3;

/// The words of a text, as they stand there.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A stem as a number (64 bits of FNV-1a): of a million stems, two share one in one library of thirty million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(u64);

impl Term {
    /// That of a stem.
    pub fn of(stem: &str) -> Self {
        Self(stem.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// That of the words so far and one more.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self((self.0.rotate_left(7) ^ next.0).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// A map by terms, which need no hashing again.
pub type TermMap<T> = HashMap<Term, T, BuildHasherDefault<AsItIs>>;

/// The hash of a [`Term`]: its number.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

/// Calls `each` with the term of every word of a text, in their order.
pub fn for_each_term(text: &str, mut each: impl FnMut(Term)) {
    let mut stem = String::new();
    for word in words(text) {
        write_stem(word, &mut stem);
        each(Term::of(&stem));
    }
}

/// A word of a text.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// Its stem.
    pub term: Term,
    start: u32,
    length: u16,
    /// How it is used.
    pub usage: Usage,
    /// What stands before it.
    pub before: Gap,
}

impl Word {
    /// Where it stands in its text, in bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.length)
    }
}

/// What stands between two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// One hyphen: the two are one expression.
    Hyphen,
    /// One space.
    Space,
    /// Anything else, or the beginning of the text.
    Break,
}

/// The words of a text, in their order.
pub fn read(text: &str) -> Vec<Word> {
    let (mut read, mut stem, mut end_of_last) = (Vec::with_capacity(text.len() / 6), String::new(), 0);
    for word in words(text) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let before = match &text[end_of_last..start] {
            "-" if end_of_last > 0 => Gap::Hyphen,
            " " if end_of_last > 0 => Gap::Space,
            _ => Gap::Break,
        };
        end_of_last = start + word.len();
        // What is longer is no word.
        let Ok(length) = u16::try_from(word.len()) else { continue };
        write_stem(word, &mut stem);
        let term = Term::of(&stem);
        read.push(Word { term, start: start as u32, length, usage: Usage::of(&stem, term), before });
    }
    read
}

/// The stem of a word.
///
/// ```
/// use paperkin::phrase::stem;
/// assert_eq!(["Networks", "studies", "Schrödinger", "bias", "process"].map(stem), ["network", "study", "schrodinger", "bia", "process"]);
/// ```
pub fn stem(word: &str) -> String {
    let mut stem = String::new();
    write_stem(word, &mut stem);
    stem
}

fn write_stem(word: &str, stem: &mut String) {
    stem.clear();
    if word.is_ascii() {
        stem.push_str(word);
        stem.make_ascii_lowercase();
    } else {
        let is_accent = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
        stem.extend(word.nfkd().filter(|c| !is_accent(c)).flat_map(char::to_lowercase));
    }
    if stem.len() < 4 || !stem.ends_with('s') {
        return;
    }
    // The first rule whose ending is there decides, even if it then does nothing.
    if stem.ends_with("ies") && !stem.ends_with("eies") && !stem.ends_with("aies") {
        stem.truncate(stem.len() - 3);
        stem.push('y');
    } else if !stem.ends_with("us") && !stem.ends_with("ss") && !["aes", "ees", "oes"].iter().any(|ending| stem.ends_with(ending)) {
        stem.pop();
    }
}

/// True for a stem that carries no meaning by itself.
pub fn is_stop_word(stem: &str) -> bool {
    stem.len() < 2 || stop_words().contains(stem)
}

fn stop_words() -> &'static HashSet<String> {
    static STOP_WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| words(STOP).map(stem).collect());
    &STOP_WORDS
}

/// English function words, and words that every abstract uses.
const STOP: &str = "a about above across after again against all almost along already also although always am among an and another any are aren as \
    at away be became because become been before being below between beyond both but by can cannot could couldn did didn do does doesn doing don \
    done down due during each either else enough especially et etc even ever every few first for from further furthermore gain get give given \
    gives go had has hasn have haven having he hence her here hers herself him himself his how however i if in indeed instead into is isn it its \
    itself just keep know known last later least less let like likely ll made mainly make makes making many may me might more moreover most \
    mostly much must my myself near nearly need neither never nevertheless new next no non none nor not now of off often on once one only onto \
    or other others otherwise our ours ourselves out over overall own per perhaps possible quite rather re really recent recently regarding s \
    same second see seem seems several shall she should since so some something still such t take than that the their theirs them themselves \
    then there thereby therefore these they third this those though three through throughout thus to together too toward towards two under \
    until up upon us use used useful uses using usually various ve very via was we well were what when where whereas whether which while who \
    whom whose why will with within without would yet you your yours yourself \
    abstract achieve achieves address aim aims allow allows apply approach approaches art article based better capable challenge compared consider considered demonstrate \
    demonstrates describe develop developed different effective enable enables evaluate evaluation existing experiment experiments find \
    findings finally focus framework http https https improve improved improves include including introduce introduced introduces investigate \
    exploit key large leverage limitation main method methods novel obtain obtained outperform outperforms paper papers perform performance present presented \
    presents previous prior problem problems propose proposed proposes provide provides require requires research result results show shown \
    shows significant significantly simple solution specifically state studies study studied suggest task tasks technique techniques terms \
    understanding work works www \
    mathbb mathbf mathcal mathrm mathsf textit textbf frac sqrt ii iii iv";

/// A phrase: the stems of its words, and how it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The stems, with spaces between them.
    pub stems: String,
    /// As the text writes it.
    pub text: String,
    /// Its words.
    pub words: usize,
    /// How often it stands there.
    pub count: usize,
}

/// The phrases of a text: up to [`LONGEST`] words that follow each other with nothing but a space or a hyphen between them,
/// none of them a stop word; each phrase once, in the order in which they stand there.
///
/// ```
/// let phrases: Vec<String> = paperkin::phrase::phrases("Graph-based search of vectors.").into_iter().map(|p| p.text).collect();
/// assert_eq!(phrases, ["Graph", "search", "vectors"]);
/// ```
pub fn phrases(text: &str) -> Vec<Phrase> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<Phrase> = Vec::new();
    for run in runs(text) {
        for first in 0..run.len() {
            for last in first..run.len().min(first + LONGEST) {
                let part = &run[first..=last];
                let stems = part.iter().map(|word| word.stem.as_str()).collect::<Vec<_>>().join(" ");
                let is_number = part.iter().all(|word| word.stem.bytes().all(|b| b.is_ascii_digit()));
                match places.get(&stems) {
                    Some(&place) => found[place].count += 1,
                    None if is_number => {}
                    None => {
                        places.insert(stems.clone(), found.len());
                        let text = text[part[0].start..part[part.len() - 1].end].to_owned();
                        found.push(Phrase { stems, text, words: part.len(), count: 1 });
                    }
                }
            }
        }
    }
    found
}

/// Phrases that stand in both texts, as `other` writes them, the most telling first, none of them a part of another. `telling`
/// says how much a phrase tells that stands in either, or that it tells nothing.
pub fn shared(one: &[Phrase], other: &[Phrase], count: usize, telling: impl Fn(&Phrase, &Phrase) -> Option<f32>) -> Vec<String> {
    let there: HashMap<&str, &Phrase> = other.iter().map(|phrase| (phrase.stems.as_str(), phrase)).collect();
    let pair = |phrase: &Phrase| {
        let same = *there.get(phrase.stems.as_str())?;
        Some((telling(phrase, same)?, same))
    };
    let mut both: Vec<(f32, &Phrase)> = one.iter().filter_map(pair).collect();
    // Stable: of equally telling ones, the one that stands first.
    both.sort_by(|a, b| b.0.total_cmp(&a.0));
    let contains = |a: &Phrase, b: &Phrase| format!(" {} ", a.stems).contains(&format!(" {} ", b.stems));
    let mut chosen: Vec<&Phrase> = Vec::new();
    for (_, phrase) in &both {
        // Of a word, the longest phrase in which both texts have it says what they mean by it.
        let whole = both.iter().map(|(_, other)| *other).filter(|other| contains(other, phrase));
        let whole = whole.reduce(|longest, other| if other.words > longest.words { other } else { longest }).unwrap_or(phrase);
        if chosen.len() < count && !chosen.iter().any(|other| contains(other, whole) || contains(whole, other)) {
            chosen.push(whole);
        }
    }
    chosen.into_iter().map(|phrase| phrase.text.clone()).collect()
}

struct Part {
    stem: String,
    start: usize,
    end: usize,
}

/// Words that may stand in one phrase.
fn runs(text: &str) -> Vec<Vec<Part>> {
    let mut runs: Vec<Vec<Part>> = vec![Vec::new()];
    let mut end_of_last = 0;
    for word in words(text) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let stem = stem(word);
        let between = &text[end_of_last..start];
        end_of_last = start + word.len();
        if !matches!(between, " " | "-" | "") || is_stop_word(&stem) {
            runs.push(Vec::new());
        }
        if !is_stop_word(&stem) {
            runs.last_mut().expect("there is one").push(Part { stem, start, end: end_of_last });
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(phrases: &[Phrase]) -> Vec<&str> {
        phrases.iter().map(|phrase| phrase.text.as_str()).collect()
    }

    #[test]
    fn phrases_end_at_stop_words_and_punctuation() {
        let text = "We propose sparse attention-layers for long documents, 2025 tokens.";
        let expected = [
            "sparse",
            "sparse attention",
            "sparse attention-layers",
            "attention",
            "attention-layers",
            "layers",
            "long",
            "long documents",
            "documents",
            "2025 tokens",
            "tokens",
        ];
        assert_eq!(texts(&phrases(text)), expected);
        assert_eq!(texts(&phrases("")), [""; 0]);
        assert_eq!(texts(&phrases("Überraschung: Ölpreise 漢字")), ["Überraschung", "Ölpreise", "Ölpreise 漢字", "漢字"]);
    }

    #[test]
    fn shared_phrases_are_the_longest_that_tell_something() {
        let one = phrases("Sparse attention layers and graphs of papers");
        let other = phrases("On graph search with Sparse Attention Layers");
        let by_words = |phrase: &Phrase, _: &Phrase| (phrase.stems != "on").then_some(phrase.words as f32);
        assert_eq!(shared(&one, &other, 3, by_words), ["Sparse Attention Layers", "graph"]);
        assert_eq!(shared(&one, &other, 1, by_words), ["Sparse Attention Layers"]);
        assert_eq!(shared(&one, &other, 3, |_, _| None), [""; 0]);
    }
}
