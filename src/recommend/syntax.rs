//! The query language: words to look for, and prefixes that narrow the answer.
//!
//! ```text
//! ti:WORD  abs:WORD    stands in the title, in the abstract
//! "a phrase"           stands in the text just so; `ti:"a phrase"` in the title
//! -WORD  -"a phrase"   does not stand in it; `-ti:WORD` not in the title
//! au:NAME  cat:cs.LG  id:2508.13426   -au:NAME  -cat:cs.LG
//! ```
//!
//! What has a prefix narrows; all else is what is asked. A quoted phrase does both. Where a prefix stands before nothing, or a
//! colon behind any other word, it is a word like any other.

use crate::library::{Filter, Keyword, Place};
use crate::paper::PaperId;

/// A typed query: what is asked, and what narrows the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// The words that are asked, without prefixes and quotes.
    pub text: String,
    /// What the prefixes ask for.
    pub filter: Filter,
}

/// Reads a query.
///
/// ```
/// let typed = paperkin::recommend::parse(r#"sparse attention au:"vaswani" cat:cs.CL -vision "long documents""#);
/// assert_eq!(typed.text, "sparse attention long documents");
/// assert_eq!((typed.filter.authors, typed.filter.categories), (vec!["vaswani".to_owned()], vec!["cs.CL".to_owned()]));
/// assert_eq!((typed.filter.exclude.len(), typed.filter.keywords.len()), (1, 1));
/// ```
pub fn parse(query: &str) -> Typed {
    let (mut words, mut filter) = (Vec::new(), Filter::default());
    for Token { negated, prefix, value, is_quoted, raw } in tokens(query) {
        let place = match prefix {
            "ti" => Place::Title,
            "abs" => Place::Abstract,
            _ => Place::Anywhere,
        };
        let is_word = value.contains(char::is_alphanumeric);
        let keyword = || Keyword { text: value.to_owned(), place };
        match prefix {
            _ if !is_word => words.push(raw),
            "" | "ti" | "abs" if negated => filter.exclude.push(keyword()),
            "ti" | "abs" => filter.keywords.push(keyword()),
            "au" if negated => filter.exclude_authors.push(value.to_owned()),
            "au" => filter.authors.push(value.to_owned()),
            "cat" if negated => filter.exclude_categories.push(value.to_owned()),
            "cat" => filter.categories.push(value.to_owned()),
            "id" if !negated => filter.ids.push(PaperId::parse(value)),
            "" => {
                if is_quoted {
                    filter.keywords.push(keyword());
                }
                words.push(value);
            }
            // "Not this id" is not among the filters: the words stand for themselves.
            _ => words.push(raw),
        }
    }
    Typed { text: words.join(" "), filter }
}

struct Token<'a> {
    negated: bool,
    /// Without its colon; empty if there is none.
    prefix: &'a str,
    value: &'a str,
    is_quoted: bool,
    raw: &'a str,
}

const PREFIXES: [&str; 5] = ["ti", "abs", "au", "cat", "id"];

fn tokens(query: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest) = (Vec::new(), query.trim_start());
    while !rest.is_empty() {
        let (negated, after_sign) = match rest.strip_prefix('-') {
            // A hyphen by itself, or two, are no sign.
            Some(after) if !after.starts_with(['-', ' ']) && !after.is_empty() => (true, after),
            _ => (false, rest),
        };
        let is_prefix = |prefix: &str| after_sign.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        let named =
            PREFIXES.iter().find_map(|&prefix| Some((prefix, after_sign.get(prefix.len()..)?.strip_prefix(':').filter(|_| is_prefix(prefix))?)));
        let (prefix, after) = named.unwrap_or(("", after_sign));
        let quoted = after.strip_prefix('"').and_then(|inner| Some((inner.find('"')?, inner)));
        let (value, after, is_quoted) = match quoted {
            Some((end, inner)) => (&inner[..end], &inner[end + 1..], true),
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (&after[..end], &after[end..], false)
            }
        };
        let raw = &rest[..rest.len() - after.len()];
        tokens.push(Token { negated, prefix, value, is_quoted, raw });
        rest = after.trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_narrow_and_all_else_is_asked() {
        let keyword = |text: &str, place| Keyword { text: text.to_owned(), place };
        let open = Filter::default;
        let cases = [
            ("graph neural networks", "graph neural networks", open()),
            ("ti:graph nets", "nets", Filter { keywords: vec![keyword("graph", Place::Title)], ..open() }),
            ("abs:\"two words\"", "", Filter { keywords: vec![keyword("two words", Place::Abstract)], ..open() }),
            ("-ti:survey x", "x", Filter { exclude: vec![keyword("survey", Place::Title)], ..open() }),
            ("id:arXiv:2508.13426v2", "", Filter { ids: vec![PaperId::Arxiv("2508.13426".into())], ..open() }),
            ("au:hinton au:\"le cun\"", "", Filter { authors: vec!["hinton".into(), "le cun".into()], ..open() }),
            ("GPT-4: a report", "GPT-4: a report", open()),
            ("pre - post -- ti: au:", "pre - post -- ti: au:", open()),
            ("an \"open quote", "an \"open quote", open()),
            ("-id:x \"!!\"", "-id:x \"!!\"", open()),
            ("-AU:x -cat:cs", "", Filter { exclude_authors: vec!["x".into()], exclude_categories: vec!["cs".into()], ..open() }),
            ("  ", "", open()),
        ];
        let wrong: Vec<_> = cases
            .into_iter()
            .map(|(query, text, filter)| (query, parse(query), Typed { text: text.to_owned(), filter }))
            .filter(|(_, got, expected)| got != expected)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
