//! The JSON of the Daily Papers API, in the shape of 2023 and in that of today, and as a saved page holds it.
//!
//! An entry is `{"paper": {"id", "title", "summary", "authors", "publishedAt", "upvotes", "submittedOnDailyAt", …},
//! "publishedAt", "title", "summary", "numComments", …}`. Of its three dates, `paper.publishedAt` is arXiv's day, and
//! `paper.submittedOnDailyAt`, else the entry's own `publishedAt`, is the day of the digest.

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;

use super::clean::{clean, clean_abstract, clean_text};
use super::jsonl::{json_reason, number};
use super::{Item, json};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, parse_date};

/// Reads an array of entries, or an object that holds one as `dailyPapers`, or one entry.
pub(super) fn read<'a>(origin: &str, input: impl BufRead + 'a, day: Option<Date>) -> impl Iterator<Item = Result<Item>> + 'a {
    let entry = |bytes: &[u8]| serde_json::from_slice::<Entry>(bytes).map_err(|e| json_reason(&e));
    json::records(origin, input, &[&["dailyPapers"]], move |bytes| entry(bytes).and_then(|entry| paper(entry, day)).map(Some))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    paper: Inner,
    title: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    published_at: Value,
    #[serde(default, deserialize_with = "number")]
    num_comments: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    id: String,
    title: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    authors: Value,
    #[serde(default)]
    published_at: Value,
    #[serde(default)]
    submitted_on_daily_at: Value,
    #[serde(default, deserialize_with = "number")]
    upvotes: Option<u32>,
    #[serde(default)]
    withdrawn_at: Value,
}

/// Authors are objects with a name, which may be hidden; other shapes say nothing.
fn names(authors: &Value) -> Vec<String> {
    let is_shown = |author: &&Value| author.get("hidden").and_then(Value::as_bool) != Some(true);
    let name = |author: &Value| author.get("name").unwrap_or(author).as_str().map(clean_text);
    authors.as_array().into_iter().flatten().filter(is_shown).filter_map(name).filter(|name| !name.is_empty()).collect()
}

fn paper(entry: Entry, day: Option<Date>) -> Result<Paper, String> {
    let inner = entry.paper;
    let first = |texts: [Option<String>; 2], clean: fn(&str) -> String| {
        texts.iter().flatten().map(|text| clean(text)).find(|text| !text.is_empty()).unwrap_or_default()
    };
    let date = |text: &Value| text.as_str().and_then(parse_date);
    let (id, version) = PaperId::parse_versioned(&clean(&inner.id));
    let mut paper = Paper {
        title: first([inner.title, entry.title], clean_text),
        abstract_text: first([inner.summary, entry.summary], clean_abstract),
        authors: names(&inner.authors),
        published: date(&inner.published_at),
        day: date(&inner.submitted_on_daily_at).or(day).or(date(&entry.published_at)),
        upvotes: inner.upvotes,
        comments: entry.num_comments,
        url: Some(format!("https://huggingface.co/papers/{id}")),
        version,
        withdrawn: !inner.withdrawn_at.is_null(),
        ..Paper::default()
    };
    paper.add_id(id);
    paper.authors_count = paper.count_authors();
    if paper.title.is_empty() {
        return Err("the record has no title".to_owned());
    }
    Ok(paper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Failure;

    #[test]
    fn old_and_new_shapes_and_odd_values_are_read() {
        let text = r#"[
            {"paper": {"id": "2405.15738", "authors": null, "publishedAt": "2024-05-24T17:34:15.000Z", "title": "Con\n  vLLaVA", "summary": "Long\ntext",
                       "upvotes": 32}, "publishedAt": "2024-05-27T03:50:58.348Z", "numComments": 3},
            {"paper": {"id": "2608.02023", "authors": [{"name": "Ada", "hidden": false}, {"name": "Bob", "hidden": true}],
                       "publishedAt": "2026-08-03T00:00:00.000Z", "submittedOnDailyAt": "2026-08-04T00:00:00.000Z", "title": "Swan",
                       "summary": "This is an automated message from the Librarian Bot. x", "upvotes": "1.2k"}, "summary": "The real one", "numComments": {}},
            {"paper": {"title": "no id"}},
            {"paper": {"id": "1", "title": " "}}
        ]"#;
        let items: Vec<Item> = read("x.json", text.as_bytes(), None).map(Result::unwrap).collect();
        let papers: Vec<&Paper> = items.iter().filter_map(|item| if let Item::Paper(paper) = item { Some(&**paper) } else { None }).collect();
        assert_eq!(papers[0].title, "Con vLLaVA");
        assert_eq!((papers[0].day.unwrap().to_string(), papers[0].upvotes, papers[0].comments), ("2024-05-27".into(), Some(32), Some(3)));
        assert_eq!((papers[1].abstract_text.as_str(), papers[1].upvotes, papers[1].authors_count), ("The real one", Some(1200), Some(1)));
        assert_eq!(papers[1].day.unwrap().to_string(), "2026-08-04");
        let failed = |place: &str, reason: &str| Item::Failed(Failure { place: place.into(), reason: reason.into() });
        assert!(matches!(&items[2], Item::Failed(failure) if failure.reason.contains("missing field `id`")), "{:?}", items[2]);
        assert_eq!(items[3], failed("x.json: record 4", "the record has no title"));
    }

    #[test]
    fn an_empty_id_is_none() {
        let items: Vec<Item> = read("x.json", &br#"[{"paper": {"id": " ", "title": "T"}}]"#[..], None).map(Result::unwrap).collect();
        assert!(matches!(&items[..], [Item::Paper(paper)] if paper.ids.is_empty()), "{items:?}");
    }
}
