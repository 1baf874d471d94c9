//! JSON of the indexes of papers: Semantic Scholar, OpenAlex and Crossref, as their APIs answer and their snapshots are cut into lines.
//!
//! | | a list of papers is in | a paper has |
//! |---|---|---|
//! | Semantic Scholar | `data`, `recommendedPapers`, an array | `paperId`, `externalIds`, `title`, `abstract`, `authors`, `publicationDate`, `url` |
//! | OpenAlex | `results` | `id`, `doi`, `display_name`, `abstract_inverted_index`, `authorships`, `publication_date` |
//! | Crossref, CSL-JSON | `message.items`, `items`, an array, else `message` | `DOI`, `title[0]`, `abstract` with JATS, `author`, `issued` |

use std::io::BufRead;

use serde_json::Value;

use super::clean::{clean, clean_abstract, clean_text, without_tags};
use super::jsonl::json_reason;
use super::metered::LARGEST;
use super::{Format, Item, json};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, parse_date};

/// Words of an abstract whose places are given; more are a fault.
const MOST_WORDS: u64 = 100_000;

/// Where the indexes keep their papers.
const LISTS: &[json::Path] = &[&["data"], &["recommendedPapers"], &["results"], &["message", "items"], &["items"]];

/// Which index a text is from, by the keys of its first record.
pub(super) fn index_of(text: &str) -> Option<Format> {
    let first = json::first(text.as_bytes(), LISTS)?;
    let record: Value = serde_json::from_slice(&first).ok()?;
    let has = |key: &str| record.get(key).is_some();
    let paper = if record["paper"].is_object() { &record["paper"] } else { &record };
    let is_s2 = paper.get("paperId").is_some() && (paper.get("externalIds").is_some() || paper.get("id").is_none());
    let is_openalex = has("display_name") && record["id"].as_str().is_some_and(|id| id.contains("openalex.org/W"));
    // Of Crossref, and of CSL-JSON, in which reference managers write what they have.
    let is_name = |author: &Value| author.get("family").is_some() || author.get("literal").is_some();
    let has_names = record["author"].as_array().is_some_and(|authors| authors.iter().any(is_name));
    let is_reference = has_names || record["issued"].get("date-parts").is_some() || has("DOI") && record["title"].is_array();
    match () {
        () if has("message-type") || is_reference => Some(Format::Crossref),
        () if is_openalex => Some(Format::Openalex),
        () if is_s2 => Some(Format::S2),
        () => None,
    }
}

/// Reads documents one after the other, each an answer or a paper.
pub(super) fn read<'a>(origin: &str, input: impl BufRead + 'a, format: Format) -> impl Iterator<Item = Result<Item>> + 'a {
    let paper = move |bytes: &[u8]| {
        let mut work: Value = serde_json::from_slice(bytes).map_err(|e| json_reason(&e))?;
        // Crossref's answer about one paper.
        let message = work.get_mut("message").filter(|message| message.is_object()).map(Value::take);
        let work = message.unwrap_or(work);
        // Semantic Scholar leaves out the list where nothing was found.
        if work["total"] == 0 && work["title"].is_null() { Ok(None) } else { self::paper(&work, format).map(Some) }
    };
    json::records(origin, input, LISTS, paper)
}

fn paper(work: &Value, format: Format) -> std::result::Result<Paper, String> {
    let mut paper = match format {
        Format::Openalex => of_openalex(work),
        Format::Crossref => of_crossref(work),
        _ => of_s2(work),
    };
    if paper.title.is_empty() {
        let error = work["error"].as_str().or(work["message"].as_str());
        return Err(error.map_or("the record has no title".to_owned(), |error| format!("the server answered with an error: {}", clean(error))));
    }
    paper.url = paper.url.filter(|url| url.starts_with("http"));
    Ok(paper)
}

fn text(value: &Value) -> String {
    clean_text(&without_tags(value.as_str().unwrap_or_default()))
}

/// Adds ids that name a paper everywhere, each perhaps with the address of who keeps them.
fn add_ids(paper: &mut Paper, ids: &[&Value]) {
    for id in ids.iter().filter_map(|id| id.as_str()) {
        let (id, version) = PaperId::parse_versioned(&clean(id));
        if matches!(id, PaperId::Arxiv(_) | PaperId::Doi(_)) {
            paper.version = paper.version.or(version);
            paper.add_id(id);
        }
    }
}

fn names(list: &Value, name: impl Fn(&Value) -> String) -> Vec<String> {
    list.as_array().into_iter().flatten().map(name).filter(|name| !name.is_empty()).collect()
}

fn of_s2(work: &Value) -> Paper {
    let work = if work["paper"].is_object() { &work["paper"] } else { work };
    let mut paper = Paper {
        title: text(&work["title"]),
        abstract_text: clean_abstract(&without_tags(work["abstract"].as_str().unwrap_or_default())),
        authors: names(&work["authors"], |author| text(&author["name"])),
        published: work["publicationDate"].as_str().and_then(parse_date),
        url: work["url"].as_str().map(clean),
        ..Paper::default()
    };
    let ids = &work["externalIds"];
    let arxiv = ids["ArXiv"].as_str().map(|id| Value::from(format!("arXiv:{id}"))).unwrap_or_default();
    add_ids(&mut paper, &[&arxiv, &ids["DOI"]]);
    if paper.ids.is_empty()
        && let Some(id) = work["paperId"].as_str()
    {
        paper.add_id(PaperId::parse_versioned(&clean(id)).0);
    }
    paper
}

fn of_openalex(work: &Value) -> Paper {
    let mut paper = Paper {
        title: Some(text(&work["display_name"])).filter(|title| !title.is_empty()).unwrap_or_else(|| text(&work["title"])),
        abstract_text: clean_abstract(&inverted(&work["abstract_inverted_index"])),
        authors: names(&work["authorships"], |authorship| text(&authorship["author"]["display_name"])),
        published: work["publication_date"].as_str().and_then(parse_date),
        url: work["primary_location"]["landing_page_url"].as_str().map(clean),
        ..Paper::default()
    };
    add_ids(&mut paper, &[&work["doi"], &work["ids"]["doi"], &work["primary_location"]["landing_page_url"]]);
    if paper.ids.is_empty()
        && let Some(id) = work["id"].as_str()
    {
        paper.add_id(PaperId::parse_versioned(clean(id).rsplit('/').next().unwrap_or_default()).0);
    }
    paper
}

/// The text of which each word's places are given; a long word has few.
fn inverted(index: &Value) -> String {
    let of_word = |(word, places)| {
        let places = Value::as_array(places).into_iter().flatten().filter_map(Value::as_u64).filter(|place| *place < MOST_WORDS);
        places.map(move |place| (place, String::as_str(word)))
    };
    let mut words: Vec<(u64, &str)> = index.as_object().into_iter().flatten().flat_map(of_word).collect();
    words.sort_unstable();
    let mut text = String::new();
    for (_, word) in words {
        if text.len() + word.len() > LARGEST {
            break;
        }
        text.push_str(word);
        text.push(' ');
    }
    text
}

fn of_crossref(work: &Value) -> Paper {
    // Publishers send the heading along.
    let without_heading = |text: &str| {
        ["Abstract", "Summary", "ABSTRACT"]
            .iter()
            .fold(text.to_owned(), |text, heading| text.replace(&format!("<jats:title>{heading}</jats:title>"), ""))
    };
    let name = |author: &Value| {
        let parts = ["given", "dropping-particle", "non-dropping-particle", "family", "suffix"].map(|part| text(&author[part]));
        let whole = clean(&parts.join(" "));
        [whole, text(&author["name"]), text(&author["literal"])].into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    };
    let dates = ["published-online", "published-print", "published", "issued", "posted"];
    let mut paper = Paper {
        title: work["title"].as_array().and_then(|titles| titles.first()).map(text).unwrap_or_else(|| text(&work["title"])),
        abstract_text: clean_abstract(&without_tags(&without_heading(work["abstract"].as_str().unwrap_or_default()))),
        authors: names(&work["author"], name),
        published: dates.into_iter().filter_map(|date| date_parts(&work[date])).min(),
        url: work["URL"].as_str().map(clean),
        ..Paper::default()
    };
    add_ids(&mut paper, &[&work["DOI"]]);
    paper
}

/// `{"date-parts": [[2020, 5, 6]]}`; a year alone is no day.
fn date_parts(date: &Value) -> Option<Date> {
    let number = |part: &Value| part.as_i64().or_else(|| part.as_str()?.trim().parse().ok());
    let parts: Vec<i64> = date["date-parts"][0].as_array()?.iter().filter_map(number).collect();
    match parts.as_slice() {
        [year, month, day] => parse_date(&format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Paper {
        let mut items = read("x", text.as_bytes(), index_of(text).unwrap());
        match items.next().unwrap().unwrap() {
            Item::Paper(paper) => *paper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_paper_of_each_index_is_read() {
        let s2 = one(
            r#"{"recommendedPapers": [{"paperId": "abc", "externalIds": {"ArXiv": "2101.00001", "DOI": "10.1000/X", "CorpusId": 7}, "title": "T",
                "abstract": null, "authors": [{"name": "Ada"}], "year": 2020, "publicationDate": "2020-05-06"}]}"#,
        );
        assert_eq!((s2.id(), s2.doi(), s2.authors.len()), (PaperId::Arxiv("2101.00001".to_owned()), Some("10.1000/x"), 1));
        assert_eq!((s2.published.unwrap().to_string(), s2.abstract_text.as_str()), ("2020-05-06".into(), ""));
        let csl = one(
            r#"[{"id": "http://zotero.org/1", "type": "book", "title": "T", "author": [{"family": "Dam", "non-dropping-particle": "van", "given": "J"},
                {"literal": "The Group"}], "issued": {"date-parts": [["2020", 3, 4]]}}]"#,
        );
        assert_eq!(
            (csl.authors.as_slice(), csl.published.unwrap().to_string()),
            (&["J van Dam".to_owned(), "The Group".to_owned()][..], "2020-03-04".into())
        );
        let sorted = one(r#"{"data": [{"abstract": "A", "externalIds": {"ArXiv": "1706.03762"}, "paperId": "abc", "title": "S"}]}"#);
        assert_eq!(sorted.id(), PaperId::Arxiv("1706.03762".to_owned()));
        assert_eq!(index_of(r#"{"id": "1", "title": "T", "authors": [{"family": "X"}], "DOI": "10.1000/q"}"#), None);
        assert_eq!(index_of(r#"{"id": "x1", "paperId": "zz", "title": "T"}"#), None);
        let openalex = one(r#"{"results": [{"id": "https://openalex.org/W7", "doi": "https://doi.org/10.1000/Y", "display_name": "<i>T</i>",
                "abstract_inverted_index": {"look": [1, 3], "We": [0], "and": [2]}, "authorships": [{"author": {"display_name": "Ada"}}]}]}"#);
        assert_eq!((openalex.doi(), openalex.abstract_text.as_str(), openalex.title.as_str()), (Some("10.1000/y"), "We look and look", "T"));
        let crossref = one(
            r#"{"status": "ok", "message-type": "work", "message": {"DOI": "10.1000/z", "title": ["T"], "abstract": "<jats:title>Abstract</jats:title><jats:p>We look.</jats:p>",
                "author": [{"given": "Ada", "family": "Lovelace"}, {"name": "A group"}], "issued": {"date-parts": [[2020]]},
                "published-print": {"date-parts": [[2020, 6, 1]]}, "published-online": {"date-parts": [[2020, 5, 6]]}}}"#,
        );
        assert_eq!((crossref.doi(), crossref.abstract_text.as_str()), (Some("10.1000/z"), "We look."));
        assert_eq!(
            (crossref.authors.as_slice(), crossref.published.unwrap().to_string()),
            (&["Ada Lovelace".to_owned(), "A group".to_owned()][..], "2020-05-06".into())
        );
    }

    #[test]
    fn a_long_word_at_many_places_is_cut_off() {
        let places: Vec<u32> = (0..10_000).collect();
        let index = serde_json::json!({"w".repeat(1 << 20): places});
        assert!(inverted(&index).len() <= LARGEST + 16);
    }

    #[test]
    fn lines_are_read_and_faults_are_told() {
        let text = "{\"paperId\": \"a\", \"title\": \"One\"}\n{\"paperId\": \"b\", \"title\": \"\"}\n{\"paperId\": \"c\", \"title\": \"Three\"}\n{\"paperId\"";
        let items: Vec<Item> = read("x", text.as_bytes(), Format::S2).map(Result::unwrap).collect();
        let papers = items.iter().filter(|item| matches!(item, Item::Paper(_))).count();
        let reasons: Vec<&str> = items
            .iter()
            .filter_map(|item| if let Item::Failed(failure) | Item::Lost(failure) = item { Some(failure.reason.as_str()) } else { None })
            .collect();
        assert_eq!((papers, reasons.len()), (2, 2));
        assert!(reasons[0].contains("no title") && reasons[1].contains("cut off"), "{reasons:?}");
        let error: Vec<Item> = read("x", &b"{\"error\": \"No positive paper examples given\"}"[..], Format::S2).map(Result::unwrap).collect();
        assert!(matches!(&error[..], [Item::Failed(failure)] if failure.reason.contains("No positive paper examples given")));
    }
}
