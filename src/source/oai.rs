//! OAI-PMH, as arXiv and other archives give their metadata: `arXiv`, `arXivRaw` and Dublin Core.

use std::io::BufRead;

use super::clean::{clean, clean_abstract, clean_text, says_withdrawn, without_tags};
use super::xml::{Element, records};
use super::{Failure, Item, Options};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, parse_date};

/// Reads the records of an answer to `ListRecords` or `GetRecord`.
pub(super) fn read<'a>(origin: &str, input: impl BufRead + 'a, options: &Options) -> impl Iterator<Item = Result<Item>> + 'a {
    let (day, place) = (options.day, origin.to_owned());
    records(origin, input, &["record", "error"], move |record| match record.name.as_str() {
        // Nothing new is no error.
        "error" if record.attribute("code") == "noRecordsMatch" => Ok(None),
        "error" => {
            let reason = format!("the archive answered with an error: {} {}", record.attribute("code"), clean(&record.text));
            Ok(Some(Item::Lost(Failure { place: place.clone(), reason })))
        }
        _ => match deleted(record) {
            Some(id) => Ok(Some(Item::Deleted(id))),
            None => paper(record, day).map(|paper| Some(Item::Paper(Box::new(paper)))),
        },
    })
}

/// The id of a record that the archive no longer has.
fn deleted(record: &Element) -> Option<PaperId> {
    let header = record.child("header").filter(|header| header.attribute("status") == "deleted")?;
    Some(PaperId::parse(&clean(header.text_of(&["identifier"]))))
}

fn paper(record: &Element, day: Option<Date>) -> Result<Paper, String> {
    let header = record.child("header");
    let metadata = record.child("metadata").and_then(|metadata| metadata.children.first()).ok_or("the record has no metadata")?;
    let text = |names: &[&'static str]| clean_text(&without_tags(metadata.text_of(names)));
    let versions: Vec<&Element> = metadata.all("version").collect();
    let version_date = |version: Option<&&Element>| version.and_then(|version| parse_date(version.text_of(&["date"])));
    let mut paper = Paper {
        title: text(&["title"]),
        abstract_text: clean_abstract(&without_tags(metadata.text_of(&["abstract", "description"]))),
        authors: authors(metadata),
        categories: text(&["categories"]).split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        published: parse_date(&text(&["created", "date"])).or_else(|| version_date(versions.first())),
        updated: parse_date(&text(&["updated"])).or_else(|| version_date(versions.last())),
        day,
        version: versions.last().and_then(|version| version.attribute("version").trim_start_matches('v').parse().ok()),
        ..Paper::default()
    };
    let named = [header.map_or("", |header| header.text_of(&["identifier"])), metadata.text_of(&["id"]), metadata.text_of(&["doi"])];
    // Dublin Core has addresses, DOIs and citations under one name.
    let identifiers = named.into_iter().chain(metadata.all("identifier").map(|identifier| identifier.text.as_str()));
    let mut version = paper.version;
    paper.add_ids(identifiers.map(clean).enumerate().filter_map(|(place, id)| {
        let (id, own) = PaperId::parse_versioned(id.strip_prefix("doi:").unwrap_or(&id));
        let is_known = matches!(id, PaperId::Arxiv(_) | PaperId::Doi(_));
        version = version.or(own);
        // Without one of these, what the archive calls it is better than none.
        (is_known || place == 0).then_some(id)
    }));
    paper.version = version;
    paper.withdrawn = says_withdrawn(metadata.text_of(&["comments"]), &paper.abstract_text);
    if paper.title.is_empty() {
        return Err("the record has no title".to_owned());
    }
    Ok(paper)
}

fn authors(metadata: &Element) -> Vec<String> {
    let whole = |author: &Element| {
        let name = ["forenames", "keyname", "suffix"].map(|part| author.text_of(&[part]));
        clean_text(&name.join(" "))
    };
    let parts = metadata.all("authors").flat_map(|authors| authors.all("author")).map(whole);
    let listed = metadata.all("authors").filter(|authors| authors.children.is_empty()).flat_map(|authors| {
        let names = authors.text.split(',').flat_map(|part| part.split(" and "));
        names.map(clean_text).collect::<Vec<_>>()
    });
    let created = metadata.all("creator").map(|creator| last_name_last(&clean_text(&creator.text)));
    parts.chain(listed).chain(created).filter(|name| !name.is_empty()).collect()
}

/// `Lovelace, Ada` as `Ada Lovelace`.
pub(super) fn last_name_last(name: &str) -> String {
    match name.split_once(',').map(|(last, first)| (last.trim(), first.trim())) {
        Some((last, first)) if !first.contains(',') && !first.is_empty() => format!("{first} {last}").trim_end().to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Item> {
        read("x", text.as_bytes(), &Options::default()).map(Result::unwrap).collect()
    }

    #[test]
    fn records_of_three_kinds_are_read() {
        let text = r#"<OAI-PMH><ListRecords><record><header><identifier>oai:arXiv.org:1507.07790</identifier></header><metadata><arXiv>
            <id>1507.07790</id><created>2015-07-28</created><updated>2016-03-04</updated><authors><author><keyname>Castro</keyname>
            <forenames>Luis B.</forenames></author></authors><title>Bosons in a
              potential</title><categories>hep-th math-ph</categories><doi>10.1088/x</doi><abstract> We look.</abstract></arXiv></metadata></record>
            <record><header><identifier>oai:arXiv.org:0704.0001</identifier></header><metadata><arXivRaw><id>0704.0001</id>
            <version version="v1"><date>Mon, 2 Apr 2007 19:18:42 GMT</date></version><version version="v2"><date>Tue, 24 Jul 2007 20:10:27 GMT</date></version>
            <title>Diphotons</title><authors>C. Balázs, E. L. Berger and C.-P. Yuan</authors></arXivRaw></metadata></record>
            <record><header><identifier>oai:x.org:7</identifier></header><metadata><dc><title>On it</title><creator>Lovelace, Ada</creator>
            <description>Text.</description><date>2020-05-06</date><identifier>doi:10.1000/Y</identifier></dc></metadata></record>
            <record><header status="deleted"><identifier>oai:x.org:8</identifier></header></record></ListRecords></OAI-PMH>"#;
        let items = all(text);
        let papers: Vec<&Paper> = items.iter().filter_map(|item| if let Item::Paper(paper) = item { Some(&**paper) } else { None }).collect();
        assert_eq!(
            (papers[0].title.as_str(), papers[0].doi(), papers[0].authors[0].as_str()),
            ("Bosons in a potential", Some("10.1088/x"), "Luis B. Castro")
        );
        assert_eq!((papers[1].version, papers[1].authors.len(), papers[1].published.unwrap().to_string()), (Some(2), 3, "2007-04-02".into()));
        assert_eq!((papers[2].doi(), papers[2].authors[0].as_str(), papers[2].abstract_text.as_str()), (Some("10.1000/y"), "Ada Lovelace", "Text."));
        assert_eq!(items[3], Item::Deleted(PaperId::Given("oai:x.org:8".into())));
    }

    #[test]
    fn an_error_is_told() {
        let items = all(r#"<OAI-PMH><error code="badArgument">No such set</error></OAI-PMH>"#);
        assert!(matches!(&items[..], [Item::Lost(failure)] if failure.reason.contains("badArgument No such set")));
        assert!(all(r#"<OAI-PMH><error code="noRecordsMatch">No matches</error></OAI-PMH>"#).is_empty());
    }
}
