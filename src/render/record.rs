//! A paper as one object of the exchange format, which `source` reads back.

use serde::Serialize;
use serde_json::Value;

use crate::paper::{Date, Paper, PaperId};

#[derive(Serialize)]
struct WrittenRecord<'a> {
    id: PaperId,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids: Vec<&'a PaperId>,
    title: &'a str,
    #[serde(rename = "abstract")]
    abstract_text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    authors: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    authors_count: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    categories: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upvotes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doi: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
}

/// The paper as one JSON object of the exchange format; `ids` only where there is more than `id` and `doi`.
pub fn to_json(paper: &Paper) -> Value {
    let (id, doi) = (paper.id(), paper.doi());
    let more = paper.ids.iter().any(|other| *other != id && !matches!(other, PaperId::Doi(_)));
    let record = WrittenRecord {
        ids: if more { paper.ids.iter().collect() } else { Vec::new() },
        title: &paper.title,
        abstract_text: &paper.abstract_text,
        authors: &paper.authors,
        authors_count: paper.count_authors(),
        categories: &paper.categories,
        published: paper.published,
        updated: paper.updated,
        day: paper.day,
        upvotes: paper.upvotes,
        comments: paper.comments,
        url: paper.url.as_deref(),
        version: paper.version,
        withdrawn: paper.withdrawn,
        doi: if doi == Some(&id.to_string()) { None } else { doi },
        id,
    };
    serde_json::to_value(record).expect("a record of texts and numbers is JSON")
}
