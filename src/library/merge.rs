//! What a stored paper becomes when a record tells more of it. Pure: no database here.
//!
//! A record fills gaps and never takes anything away. The text, a title with its abstract, is one thing and is replaced
//! whole: by a newer version, by the same kind of source saying it anew, or where there was no abstract; never by an older
//! version. Votes and comments only grow; first days stay first; a newer version says whether a paper is withdrawn.

use super::provenance::Provenance;
use crate::paper::{Kind, Paper, PaperId};

/// A paper as it is stored, with the format of the source that its text is from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub paper: Paper,
    pub text_format: String,
    pub provenance: Provenance,
}

/// True if the record's text shall replace the stored one.
pub(super) fn replaces_text(stored: &Stored, record: &Paper, format: &str) -> bool {
    let (old, new) = (&stored.paper, record);
    if new.embedding_text() == old.embedding_text() || new.title.is_empty() {
        return false;
    }
    // A list of references may know of a version and have no abstract.
    if new.abstract_text.is_empty() && !old.abstract_text.is_empty() {
        return false;
    }
    match (old.version, new.version) {
        (Some(old), Some(new)) if new != old => return new > old,
        // Which version it is cannot be known: it may be an older one.
        (Some(_), None) => return false,
        _ => {}
    }
    match (old.abstract_text.is_empty(), new.abstract_text.is_empty()) {
        (true, false) => true,
        _ => format == stored.text_format,
    }
}

/// The stored paper with what the record adds. The text is replaced only if `replace_text`. Where what is added is from is the
/// caller's to note.
pub(super) fn merge(stored: &Stored, record: &Paper, format: &str, replace_text: bool) -> Stored {
    let mut paper = stored.paper.clone();
    let mut text_format = stored.text_format.clone();
    paper.withdrawn = match (paper.version, record.version) {
        (Some(old), Some(new)) if new > old => record.withdrawn,
        (Some(old), Some(new)) if new < old => paper.withdrawn,
        _ => paper.withdrawn || record.withdrawn,
    };
    if replace_text {
        paper.title = record.title.clone();
        paper.abstract_text = record.abstract_text.clone();
        paper.version = record.version;
        text_format = format.to_owned();
    } else {
        let same_text = paper.embedding_text() == record.embedding_text();
        paper.version = if same_text { paper.version.max(record.version) } else { paper.version };
    }
    for id in &record.ids {
        paper.add_id(id.clone());
    }
    // A full list of names says more than a shorter one, or than a number.
    if record.authors.len() > paper.authors.len() {
        paper.authors = record.authors.clone();
    }
    paper.authors_count = paper.authors_count.max(record.count_authors());
    for category in &record.categories {
        if !paper.categories.contains(category) {
            paper.categories.push(category.clone());
        }
    }
    paper.published = paper.published.or(record.published);
    paper.updated = paper.updated.max(record.updated);
    paper.day = earliest(paper.day, record.day);
    paper.upvotes = paper.upvotes.max(record.upvotes);
    paper.comments = paper.comments.max(record.comments);
    paper.url = paper.url.or_else(|| record.url.clone());
    Stored { paper, text_format, provenance: stored.provenance.clone() }
}

fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// True if the two are different papers whatever else agrees: both have ids of a kind that says more than the ids they
/// share, and none in common. A shared arXiv id outdoes two DOIs, as DOIs are corrected; a shared DOI does not outdo two
/// arXiv ids.
pub(super) fn conflict(a: &[PaperId], b: &[PaperId]) -> bool {
    let shared = a.iter().filter(|id| b.contains(id)).map(PaperId::kind).min().unwrap_or(Kind::Title);
    [Kind::Arxiv, Kind::Doi, Kind::Given].into_iter().take_while(|kind| *kind < shared).any(|kind| {
        let of_kind = |ids: &[PaperId]| ids.iter().any(|id| id.kind() == kind);
        of_kind(a) && of_kind(b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(id: &str, text: &str, version: Option<u32>) -> Paper {
        let mut paper = Paper { title: "T".into(), abstract_text: text.into(), version, ..Paper::default() };
        paper.add_id(PaperId::parse(id));
        paper
    }

    #[test]
    fn the_text_is_replaced_by_newer_versions_and_by_its_own_source_only() {
        let stored =
            |text: &str, version| Stored { paper: paper("2508.13426", text, version), text_format: "hf".into(), provenance: Provenance::default() };
        let cases = [
            ("old", None, "new", None, "hf", true),
            ("old", None, "new", None, "jsonl", false),
            ("old", Some(1), "new", Some(2), "jsonl", true),
            ("old", Some(1), "", Some(2), "jsonl", false),
            ("old", Some(2), "new", Some(1), "hf", false),
            ("old", Some(2), "new", Some(2), "jsonl", false),
            ("", None, "new", None, "jsonl", true),
            ("old", None, "", None, "hf", false),
            ("same", Some(1), "same", Some(2), "jsonl", false),
            ("old", Some(2), "new", None, "hf", false),
        ];
        for case @ (old, old_version, new, new_version, format, expected) in cases {
            assert_eq!(replaces_text(&stored(old, old_version), &paper("2508.13426", new, new_version), format), expected, "{case:?}");
        }
    }

    #[test]
    fn merging_fills_gaps_and_takes_nothing() {
        let mut first = paper("title:0123456789abcdef", "text", None);
        first.comments = Some(3);
        first.day = crate::paper::parse_date("2025-12-10");
        let mut second = paper("2508.13426", "other text", Some(1));
        second.authors = vec!["A".into(), "B".into()];
        second.day = crate::paper::parse_date("2025-03-11");
        second.comments = Some(1);
        let merged = merge(&Stored { paper: first, text_format: "capture".into(), provenance: Provenance::default() }, &second, "hf", false).paper;
        assert_eq!(merged.id().to_string(), "2508.13426");
        assert_eq!(merged.ids.len(), 2);
        assert_eq!((merged.abstract_text.as_str(), merged.comments, merged.authors_count), ("text", Some(3), Some(2)));
        assert_eq!(merged.day.unwrap().to_string(), "2025-03-11");
    }

    #[test]
    fn the_newest_version_says_whether_a_paper_is_withdrawn() {
        let withdrawn = |version, withdrawn| Paper { withdrawn, ..paper("2508.13426", "text", version) };
        let cases = [
            (Some(1), false, Some(2), true, true),
            (Some(2), true, Some(3), false, false),
            (Some(2), true, Some(1), false, true),
            (None, true, Some(1), false, true),
            (Some(2), false, Some(2), true, true),
        ];
        for case @ (old, was, new, is, expected) in cases {
            let stored = Stored { paper: withdrawn(old, was), text_format: "hf".into(), provenance: Provenance::default() };
            assert_eq!(merge(&stored, &withdrawn(new, is), "feed", false).paper.withdrawn, expected, "{case:?}");
        }
    }

    #[test]
    fn two_ids_of_one_kind_are_two_papers() {
        let ids = |texts: &[&str]| texts.iter().map(|t| PaperId::parse(t)).collect::<Vec<_>>();
        assert!(conflict(&ids(&["2508.13426", "10.1000/182"]), &ids(&["2508.13427", "10.1000/182"])));
        assert!(!conflict(&ids(&["2508.13426"]), &ids(&["10.1000/182"])));
        assert!(!conflict(&ids(&["2508.13426", "10.1000/182"]), &ids(&["2508.13426", "10.1000/183"])));
        assert!(!conflict(&ids(&["W1", "10.1000/182"]), &ids(&["S2", "10.1000/182"])));
        assert!(conflict(&ids(&["W1"]), &ids(&["W2"])));
        assert!(!conflict(&ids(&["title:0123456789abcdef"]), &ids(&["title:1123456789abcdef"])));
        assert!(!conflict(&ids(&["2508.13426"]), &ids(&["2508.13426", "10.1000/182"])));
    }
}
