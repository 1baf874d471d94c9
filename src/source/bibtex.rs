//! BibTeX and BibLaTeX, of reference managers and publishers.
//!
//! A file is cut into entries first, so that one that is broken does not take the others with it; `biblatex` reads each. What its
//! fields hold is made text by [`super::tex`].

use std::collections::HashMap;
use std::io::BufRead;

use biblatex::{RawBibliography, RawChunk, RawEntry};
use serde_json::Value;

use super::clean::{clean, clean_abstract, clean_text, without_tags};
use super::jsonl::{Line, next_line, with_exact};
use super::metered::LARGEST;
use super::oai::last_name_last;
use super::{Failure, Item};
use crate::error::Result;
use crate::paper::{Date, Kind, Paper, PaperId, parse_date};

/// The field in which `export` keeps what BibTeX has no field for.
const EXACT: &str = "paperkin";
/// No name of a command of TeX is longer.
const LONGEST_COMMAND: usize = 32;
/// Names that stand for texts, and how long those are at most: each may be made of others.
const MOST_STRINGS: usize = 2_000;
const LONGEST_STRING: usize = 1 << 14;

/// True if one of the first lines begins an entry.
pub(super) fn is_bibtex(text: &str) -> bool {
    const LOOKED_AT: usize = 200;
    // Other texts have words behind an `@` and braces too; in an entry there are a key and a comma.
    let has_key = |line: &str, opening: usize| {
        let rest = line[opening + 1..].trim();
        let key = rest.split(',').next().unwrap_or_default();
        rest.is_empty() || rest.contains(',') && !key.trim_end().contains(|c: char| c.is_whitespace() || "{}()=".contains(c))
    };
    let is_entry = |line: &str| match begins_entry(line) {
        Some((kind, opening)) => matches!(kind.to_ascii_lowercase().as_str(), "string" | "comment" | "preamble") || has_key(line, opening),
        None => false,
    };
    text.lines().take(LOOKED_AT).any(|line| is_entry(line.trim_start()))
}

/// The type of the entry that a line begins, and where its opening brace is: `@article{`, `@article (`.
fn begins_entry(line: &str) -> Option<(&str, usize)> {
    let rest = line.strip_prefix('@')?;
    let kind = &rest[..rest.bytes().take_while(u8::is_ascii_alphabetic).count()];
    let opening = 1 + kind.len() + rest[kind.len()..].len() - rest[kind.len()..].trim_start().len();
    (!kind.is_empty() && line[opening..].starts_with(['{', '('])).then_some((kind, opening))
}

/// Reads entry by entry.
pub(super) fn read<'a>(origin: &str, input: impl BufRead + 'a) -> impl Iterator<Item = Result<Item>> + 'a {
    let mut entries = Entries { origin: origin.to_owned(), input, line: 0, text: String::new(), taken: 0, is_over: false, lacks_a_line: false };
    let (origin, mut strings) = (origin.to_owned(), HashMap::new());
    std::iter::from_fn(move || {
        loop {
            let entry = match entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let failed = |reason| Item::Failed(Failure { place: format!("{origin}:{}", entry.line), reason });
            match entry.text.and_then(|text| read_entry(&text, &mut strings)) {
                Ok(Some(paper)) => return Some(Ok(Item::Paper(Box::new(paper)))),
                Ok(None) => {}
                Err(reason) => return Some(Ok(failed(reason))),
            }
        }
    })
}

/// An entry as it stands in the file, or why there is none.
struct Entry {
    line: u64,
    text: Result<String, String>,
}

struct Entries<R> {
    origin: String,
    input: R,
    line: u64,
    /// The last line.
    text: String,
    /// How much of it is read.
    taken: usize,
    is_over: bool,
    /// A line of the entry was too long to be read.
    lacks_a_line: bool,
}

impl<R: BufRead> Entries<R> {
    fn next(&mut self) -> Option<Result<Entry>> {
        let found = self.begin();
        found.transpose()?.err().map(Err).or_else(|| Some(self.rest_of_entry()))
    }

    /// Goes to the `@` of the next entry.
    fn begin(&mut self) -> Result<Option<()>> {
        loop {
            let rest = &self.text[self.taken..];
            let at = rest.char_indices().find(|&(at, c)| c == '@' && begins_entry(&rest[at..]).is_some());
            if let Some((at, _)) = at {
                self.taken += at;
                return Ok(Some(()));
            }
            if !self.next_line()? {
                return Ok(None);
            }
        }
    }

    /// Reads up to the brace that closes the one that the entry begins with.
    fn rest_of_entry(&mut self) -> Result<Entry> {
        let line = self.line;
        self.lacks_a_line = false;
        let ends_too_early = |line| Ok(Entry { line, text: Err("the entry has no end".to_owned()) });
        let (opening, closing) = match begins_entry(&self.text[self.taken..]).map(|(_, at)| self.taken + at) {
            Some(at) if self.text[at..].starts_with('(') => {
                self.text.replace_range(at..=at, "{");
                (at, b')')
            }
            Some(at) => (at, b'}'),
            None => return ends_too_early(line),
        };
        let (mut text, mut depth, mut from, mut in_quotes) = (String::new(), 0usize, opening, false);
        loop {
            let mut at = from;
            while let Some(&byte) = self.text.as_bytes().get(at) {
                match byte {
                    b'\\' => at += 1,
                    b'{' => depth += 1,
                    // Quotes become braces: within quotes one may stand in braces, which not every reader knows.
                    b'"' if depth == 1 => {
                        self.text.replace_range(at..=at, "{");
                        (depth, in_quotes) = (2, true);
                    }
                    b'"' if depth == 2 && in_quotes => {
                        self.text.replace_range(at..=at, "}");
                        (depth, in_quotes) = (1, false);
                    }
                    b'}' if depth == 2 && in_quotes => {}
                    b if b == closing && depth == 1 => {
                        text.push_str(&self.text[self.taken..at]);
                        text.push('}');
                        self.taken = at + 1;
                        let text = if text.len() > LARGEST || self.lacks_a_line {
                            Err(format!("the entry is longer than {} MiB", LARGEST >> 20))
                        } else {
                            Ok(text)
                        };
                        return Ok(Entry { line, text });
                    }
                    b'}' => depth = depth.saturating_sub(1).max(1),
                    _ => {}
                }
                at += 1;
            }
            if text.len() <= LARGEST {
                text.push_str(&self.text[self.taken..]);
            }
            // An entry begins where one was open: that one has lost a brace.
            if !self.next_line()? || begins_entry(&self.text).is_some() {
                return ends_too_early(line);
            }
            from = 0;
        }
    }

    /// False at the end.
    fn next_line(&mut self) -> Result<bool> {
        self.text.clear();
        self.taken = 0;
        if self.is_over {
            return Ok(false);
        }
        self.line += 1;
        match next_line(&self.origin, &mut self.input)? {
            Some(Line::Whole(bytes)) => self.text = String::from_utf8_lossy(&bytes).into_owned(),
            Some(Line::TooLong) => self.lacks_a_line = true,
            None => self.is_over = true,
        }
        Ok(!self.is_over)
    }
}

/// A paper; nothing of an entry that is none, such as a comment, or one that gives names to texts.
fn read_entry(text: &str, strings: &mut HashMap<String, String>) -> Result<Option<Paper>, String> {
    let kind = begins_entry(text).map(|(kind, _)| kind.to_ascii_lowercase()).unwrap_or_default();
    if matches!(kind.as_str(), "comment" | "preamble") {
        return Ok(None);
    }
    let read = RawBibliography::parse(text).map_err(|e| format!("the entry cannot be read: {}", e.kind))?;
    for pair in &read.abbreviations {
        let value = value(&pair.value.v, strings, LONGEST_STRING);
        if strings.len() < MOST_STRINGS {
            strings.insert(pair.key.v.to_ascii_lowercase(), value);
        }
    }
    match read.entries.first() {
        // Names make no long text of a short one.
        Some(entry) => paper(&entry.v, strings, text.len() + LONGEST_STRING).map(Some),
        None => Ok(None),
    }
}

/// What a field says, as far as it is not too long. A name that stands for nothing is itself.
fn value(field: &biblatex::Field<'_>, strings: &HashMap<String, String>, longest: usize) -> String {
    let mut value = String::new();
    for chunk in field {
        let part = match chunk.v {
            RawChunk::Normal(text) => text,
            RawChunk::Abbreviation(name) => strings.get(&name.to_ascii_lowercase()).map_or(name, String::as_str),
        };
        value.push_str(&part[..part.floor_char_boundary(longest - value.len())]);
    }
    value
}

fn paper(entry: &RawEntry<'_>, strings: &HashMap<String, String>, longest: usize) -> Result<Paper, String> {
    // Of a field that is there twice, the first that says something.
    let raw = |names: &[&str]| {
        let fields = names.iter().flat_map(|name| entry.fields.iter().filter(move |field| field.key.v.eq_ignore_ascii_case(name)));
        fields.map(|field| value(&field.value.v, strings, longest)).find(|value| !value.trim().is_empty()).unwrap_or_default()
    };
    let text = |names: &[&str]| clean_text(&without_braces(&without_tags(&raw(names))));
    let (title, subtitle) = (text(&["title"]), text(&["subtitle"]));
    let mut paper = Paper {
        title: if subtitle.is_empty() { title } else { format!("{title}: {subtitle}") },
        abstract_text: clean_abstract(&without_braces(&without_tags(&raw(&["abstract"])))),
        authors: authors(&raw(&["author"])),
        categories: Some(text(&["primaryclass", "eprintclass"])).filter(|class| !class.is_empty()).into_iter().collect(),
        published: published(&raw),
        url: Some(clean(&raw(&["url", "howpublished"]))).map(|url| without_command(&url)).filter(|url| url.starts_with("http")),
        ..Paper::default()
    };
    let named = ["eprint", "doi", "arxivid", "url", "journal", "howpublished", "note"].map(|name| clean(&raw(&[name])));
    for id in named.iter().flat_map(|value| value.split(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ','))) {
        let (id, version) = PaperId::parse_versioned(&id.replace("\\_", "_"));
        // A second of a kind is a paper that a note names.
        if matches!(id.kind(), Kind::Arxiv | Kind::Doi) && paper.ids.iter().all(|other| other.kind() != id.kind()) {
            paper.version = paper.version.or(version);
            paper.add_id(id);
        }
    }
    if paper.title.is_empty() {
        return Err("the record has no title".to_owned());
    }
    match serde_json::from_str(&raw(&[EXACT])) {
        Ok(Value::Object(exact)) => Ok(with_exact(paper, exact, [&raw(&["title"]), &raw(&["abstract"])])),
        _ => Ok(paper),
    }
}

/// `\url{…}` without the command.
fn without_command(url: &str) -> String {
    url.trim_start_matches("\\url").trim_start_matches('{').trim_end_matches('}').trim().replace("\\_", "_").replace("\\%", "%")
}

/// A whole day: of BibLaTeX's `date`, or of `year`, `month` and `day`; a year alone is no day.
fn published(raw: &impl Fn(&[&str]) -> String) -> Option<Date> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    parse_date(raw(&["date"]).trim()).or_else(|| {
        let month = raw(&["month"]).trim().to_ascii_lowercase();
        let named = MONTHS.iter().position(|name| month.starts_with(name)).map(|place| place + 1);
        let month = named.or_else(|| month.parse().ok())?;
        parse_date(&format!("{}-{month:02}-{:0>2}", raw(&["year"]).trim(), raw(&["day"]).trim()))
    })
}

/// Names between ` and `s that are in no braces; `others` is nobody.
fn authors(text: &str) -> Vec<String> {
    let text = clean(text);
    let (mut depth, mut from, mut names) = (0i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ' ' if depth <= 0 && at >= from && text[at..].starts_with(" and ") => {
                names.push(&text[from..at]);
                from = at + " and ".len();
            }
            _ => {}
        }
    }
    names.push(text.get(from..).unwrap_or_default());
    let whole = |name: &&str| name.starts_with('{') && name.ends_with('}');
    let name = |name: &str| {
        let plain = clean_text(&without_braces(name));
        if whole(&name.trim()) { plain } else { last_name_last(&plain) }
    };
    names.into_iter().map(name).filter(|name| !name.is_empty() && name != "others").collect()
}

/// Braces that keep capitals go; those of commands and formulas stay, for [`super::tex`].
fn without_braces(text: &str) -> String {
    let (mut out, mut stays, mut in_formula) = (String::with_capacity(text.len()), Vec::new(), false);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let is_escaped = before == '\\';
        match c {
            '{' if !is_escaped => {
                let behind = &out[out.floor_char_boundary(out.len().saturating_sub(LONGEST_COMMAND))..];
                let word = behind.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let is_argument =
                    word.ends_with('\\') || out.ends_with(['^', '_', '"', '\'', '`', '~', '=', '.']) && out[..out.len() - 1].ends_with('\\');
                let closes_argument = out.ends_with('}') && stays.last().is_none();
                let is_kept = in_formula || is_argument || closes_argument || text[at + 1..].starts_with('\\');
                stays.push(is_kept);
                if is_kept {
                    out.push(c);
                }
            }
            '}' if !is_escaped => {
                if stays.pop().unwrap_or(false) {
                    out.push(c);
                }
            }
            '$' if !is_escaped => {
                in_formula = !in_formula;
                out.push(c);
            }
            _ => out.push(c),
        }
        before = if is_escaped { ' ' } else { c };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Item> {
        read("x.bib", text.as_bytes()).map(Result::unwrap).collect()
    }

    fn paper(item: &Item) -> &Paper {
        match item {
            Item::Paper(paper) => paper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_are_read_whatever_is_around_them() {
        let text = "% A bibliography\n@string{nips = \"NeurIPS\"}\n@comment{jabref-meta: {x}}\n\
            @InProceedings{vaswani, title = {{Attention} is {A}ll you {\\textit{need}}: {B}\\'ezier and Schr{\\\"o}dinger},\n  author = \"Vaswani, Ashish and {Google Brain and Co.} and Erd{\\H o}s, P{\\'a}l and others\",\n\
            booktitle = nips # { 2017}, publisher = unknown, year = 2017, month = jun, day = 12, title = {Other}, eprint = {1706.03762v5}, archivePrefix = {arXiv},\n primaryClass={cs.CL},\n\
            abstract = {We propose $\\alpha$ at 5\\%.\n  It costs $5.}, doi = {10.1000/ABC\\_D} }\n@article(key, title = {In parentheses}, journal={arXiv preprint arXiv:2101.00001})\n";
        assert!(is_bibtex(text));
        let items = all(text);
        let first = paper(&items[0]);
        assert_eq!(first.title, "Attention is All you need: Bézier and Schrödinger");
        assert_eq!(first.authors, ["Ashish Vaswani", "Google Brain and Co.", "Pál Erdős"]);
        assert_eq!((first.id().to_string(), first.version, first.doi()), ("1706.03762".into(), Some(5), Some("10.1000/abc_d")));
        assert_eq!((first.published.unwrap().to_string(), first.categories.as_slice()), ("2017-06-12".into(), &["cs.CL".to_owned()][..]));
        assert_eq!(first.abstract_text, "We propose α at 5%. It costs $5.");
        let second = paper(&items[1]);
        assert_eq!((second.title.as_str(), second.id().to_string()), ("In parentheses", "2101.00001".into()));
        assert_eq!(items.len(), 2);
    }

    #[test]
    fn many_entries_on_a_line_and_many_names_take_no_time() {
        assert_eq!(all(&"@misc{}".repeat(1 << 19)).len(), 1 << 19);
        let text = format!("@string{{a = {{{}}}}}\n", "word ".repeat(3000))
            + &format!("@misc{{k, title = {{T}}, abstract = a{}}}\n", " # a".repeat(1000)).repeat(100);
        let items = all(&text);
        assert!(items.iter().all(|item| (10_000..30_000).contains(&paper(item).abstract_text.len())), "{}", items.len());
    }

    #[test]
    fn names_and_addresses_end_without_a_space() {
        let items = all("@misc{k, title = {T}, author = {{,} Ada and , Bob}, url = {\\url{http://x.org/a }}}");
        assert_eq!(
            (paper(&items[0]).authors.as_slice(), paper(&items[0]).url.as_deref()),
            (&["Ada".to_owned(), "Bob".to_owned()][..], Some("http://x.org/a"))
        );
    }

    #[test]
    fn quotes_within_quotes_end_nothing() {
        let items =
            all("@misc{k, title = \"{\"U}ber {\"}it{\"} and \\\"o\", doi = \"10.1000/x\" # {}, note = {\"as is\"} }\n@misc(l, title = \"T (a)\" )");
        assert_eq!((paper(&items[0]).title.as_str(), paper(&items[0]).doi()), ("\"Uber \"it\" and ö", Some("10.1000/x")));
        assert_eq!(paper(&items[1]).title, "T (a)");
    }

    #[test]
    fn a_broken_entry_does_not_break_the_others() {
        let text = "@article{a, title = {One}\n@article{b, title = {Two}, }\n@misc{c, author = {X}}\n@misc{d title = {Three}}\n@misc{e, title = {Four}, url = {http://x.org/a_b}} @misc{f, title={F";
        let items = all(text);
        let reasons: Vec<String> = items
            .iter()
            .map(|item| if let Item::Failed(failure) = item { format!("{} {}", failure.place, failure.reason) } else { paper(item).title.clone() })
            .collect();
        assert_eq!(reasons[0], "x.bib:1 the entry has no end");
        assert_eq!(reasons[1], "Two");
        assert_eq!(reasons[2], "x.bib:3 the record has no title");
        assert!(reasons[3].starts_with("x.bib:4 the entry cannot be read: expected comma"), "{reasons:?}");
        assert_eq!((reasons[4].as_str(), reasons[5].as_str()), ("Four", "x.bib:5 the entry has no end"));
        assert_eq!(paper(&items[4]).url.as_deref(), Some("http://x.org/a_b"));
    }

    #[test]
    fn names_that_stand_for_themselves_and_depth_are_no_trouble() {
        let items =
            all(&format!("@string{{a = a # a}}\n@string{{b = a # a}}\n@misc{{x, title = b # {{{}t{}}} }}", "{".repeat(5000), "}".repeat(5000)));
        assert_eq!(paper(&items[0]).title, "aaaat");
        for text in ["Notes\n@todo (read it)\n", " * @param {string} x", "@Override (x)", "", "a@b.org", "@ {", "An @mention{", "@1{"] {
            assert!(!is_bibtex(text), "{text}");
        }
    }
}
