//! Feeds: Atom, of arXiv's API and of anyone, and RSS, of arXiv's announcements and of anyone.
//!
//! arXiv's API gives `id` (an address with the version), `published` (of the first version), `updated` (of this one), `title`,
//! `summary`, `author/name`, `primary_category`, `category` and `doi`. Its announcements give the id as `oai:arXiv.org:…`, the day of
//! the announcement, and an abstract behind a few words.

use std::collections::HashSet;
use std::io::BufRead;

use super::clean::{clean, clean_abstract, clean_text, says_withdrawn, without_tags};
use super::xml::{Element, records};
use super::{Item, Options};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, parse_date};

/// Reads the entries of a feed.
pub(super) fn read<'a>(origin: &str, input: impl BufRead + 'a, options: &Options) -> impl Iterator<Item = Result<Item>> + 'a {
    let day = options.day;
    records(origin, input, &["entry", "item"], move |entry| paper(entry, day).map(|paper| Some(Item::Paper(Box::new(paper)))))
}

fn paper(entry: &Element, day: Option<Date>) -> Result<Paper, String> {
    let text = |names: &[&'static str]| clean_text(&without_tags(entry.text_of(names)));
    let date = |names: &[&'static str]| parse_date(entry.text_of(names));
    let called = entry.text_of(&["id", "guid", "link"]);
    if called.contains("arxiv.org/api/errors") {
        return Err(format!("arXiv answered with an error: {}", text(&["summary"])));
    }
    let link = || entry.all("link").find(|link| matches!(link.attribute("rel"), "" | "alternate")).map(|link| link.attribute("href"));
    let link = link().filter(|link| !link.is_empty()).unwrap_or_else(|| entry.text_of(&["link"]));
    let (id, version) = PaperId::parse_versioned(&clean(called));
    let is_arxiv = matches!(id, PaperId::Arxiv(_));
    // An announcement tells its own day, and nothing of when the paper was new.
    let announced = is_arxiv.then(|| date(&["pubDate"])).flatten();
    let announced = announced.or_else(|| entry.child("announce_type").and_then(|_| date(&["published"])));
    let is_announced = announced.is_some();
    let mut paper = Paper {
        title: without_arxiv_suffix(&text(&["title"])).to_owned(),
        abstract_text: clean_abstract(&without_tags(entry.text_of(&["summary", "description", "abstract", "encoded", "content"]))),
        authors: authors(entry),
        categories: categories(entry),
        published: date(&["published", "date", "pubDate"]).filter(|_| !is_announced),
        updated: date(&["updated"]).filter(|_| !is_announced),
        day: day.or(announced),
        url: Some(clean(link)).filter(|link| link.starts_with("http")),
        version,
        ..Paper::default()
    };
    if !called.is_empty() {
        paper.add_id(id);
    }
    let doi = clean(entry.text_of(&["doi", "DOI"]));
    if let Some(doi) = Some(PaperId::parse_versioned(&doi).0).filter(|id| matches!(id, PaperId::Doi(_))) {
        paper.add_id(doi);
    }
    paper.withdrawn = says_withdrawn(entry.text_of(&["comment"]), &paper.abstract_text);
    if paper.title.is_empty() {
        return Err("the entry has no title".to_owned());
    }
    Ok(paper)
}

/// Atom names each by itself; RSS has one element each, or one with commas.
fn authors(entry: &Element) -> Vec<String> {
    let named = entry.all("author").map(|author| author.text_of(&["name"]));
    let created = entry.all("creator").flat_map(|creator| creator.text.split(','));
    named.chain(created).map(|name| clean_text(&without_tags(name))).filter(|name| !name.is_empty()).collect()
}

/// The primary one first.
fn categories(entry: &Element) -> Vec<String> {
    let category = |element: &Element| match element.attribute("term") {
        "" => clean(&element.text),
        term => clean(term),
    };
    let mut known = HashSet::new();
    let named = entry.all("primary_category").chain(entry.all("category")).map(category);
    named.filter(|name| !name.is_empty() && known.insert(name.clone())).collect()
}

/// Announcements of some years end a title with `(arXiv:2509.14420v1 [cs.CV])`.
fn without_arxiv_suffix(title: &str) -> &str {
    title.rfind("(arXiv:").filter(|_| title.ends_with(')')).map_or(title, |at| title[..at].trim_end_matches([' ', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Paper {
        match read("x", text.as_bytes(), &Options::default()).next().unwrap().unwrap() {
            Item::Paper(paper) => *paper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_of_the_api_is_read() {
        let paper = one(r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>Query</title><entry><id>http://arxiv.org/abs/2510.14968v2</id>
            <updated>2025-10-18T17:59:37Z</updated><published>2025-10-16T17:59:37Z</published><title>R&amp;D:
              of  it</title><summary> We study &lt;p&gt;x &#955; &eacute;</summary><author><name>Ada L</name></author><author><name>Bob</name></author>
            <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/X</arxiv:doi><link href="http://arxiv.org/abs/2510.14968v2" rel="alternate"/>
            <link title="pdf" href="http://arxiv.org/pdf/2510.14968v2" rel="related"/><primary_category term="cs.RO"/><category term="cs.AI"/>
            <category term="cs.RO"/></entry></feed>"#);
        assert_eq!((paper.title.as_str(), paper.abstract_text.as_str()), ("R&D: of it", "We study x λ é"));
        assert_eq!((paper.version, paper.authors.len(), paper.doi()), (Some(2), 2, Some("10.1000/x")));
        assert_eq!(paper.categories, ["cs.RO", "cs.AI"]);
        assert_eq!(paper.ids[0], PaperId::Arxiv("2510.14968".to_owned()));
        assert_eq!((paper.published.unwrap().to_string(), paper.updated.unwrap().to_string()), ("2025-10-16".into(), "2025-10-18".into()));
        assert_eq!(paper.url.as_deref(), Some("http://arxiv.org/abs/2510.14968v2"));
    }

    #[test]
    fn an_announcement_and_anyones_feed_are_read() {
        let paper =
            one(r#"<rss><channel><item><title>Class-invariant (arXiv:2509.14420v1 [cs.CV])</title><link>https://arxiv.org/abs/2509.14420</link>
            <description>arXiv:2509.14420v1 Announce Type: new
Abstract: Deep models.</description><guid isPermaLink="false">oai:arXiv.org:2509.14420v1</guid><category>cs.CV</category>
            <pubDate>Fri, 19 Sep 2025 00:00:00 -0400</pubDate><dc:creator>Ada L, Bob</dc:creator></item></channel></rss>"#);
        assert_eq!((paper.title.as_str(), paper.abstract_text.as_str()), ("Class-invariant", "Deep models."));
        assert_eq!((paper.day.unwrap().to_string(), paper.published, paper.authors.len()), ("2025-09-19".into(), None, 2));
        let paper = one("<rss><item><title>T</title><link>https://example.org/1</link><pubDate>Fri, 19 Sep 2025 00:00:00 GMT</pubDate></item></rss>");
        assert_eq!((paper.published.unwrap().to_string(), paper.day), ("2025-09-19".into(), None));
    }

    #[test]
    fn a_title_ends_where_its_words_do_and_many_categories_take_no_time() {
        let categories: String = (0..100_000).map(|number| format!("<category>{number}</category>")).collect();
        let paper = one(&format!("<rss><item><title>Of it . (arXiv:2509.14420v1)</title>{categories}</item></rss>"));
        assert_eq!((paper.title.as_str(), paper.categories.len()), ("Of it", 100_000));
    }

    #[test]
    fn faults_are_told() {
        let all = |text: &str| read("x", text.as_bytes(), &Options::default()).map(Result::unwrap).collect::<Vec<_>>();
        let reason = |text: &str| match all(text).pop() {
            Some(Item::Failed(failure) | Item::Lost(failure)) => failure.reason,
            other => panic!("{other:?}"),
        };
        assert!(reason("<feed><entry><title>A</title>").contains("cut off"));
        assert!(reason("<feed><entry><title>A</titel></entry></feed>").contains("what follows is lost"));
        assert!(reason("<feed><entry><id>x</id></entry></feed>").contains("no title"));
        assert!(
            reason("<feed><entry><id>http://arxiv.org/api/errors#bad</id><summary>incorrect id</summary></entry></feed>").contains("incorrect id")
        );
        assert!(reason(&format!("<feed><entry>{}</entry></feed>", "<a>".repeat(100))).contains("elements in each other"));
        assert!(reason(&format!("<feed>{}", "<a>".repeat(100))).contains("elements in each other"));
        assert!(all(&format!("<feed>{}</feed>", "<a><b></b></a>".repeat(100))).is_empty());
        assert!(reason(&format!("<feed><entry><title>{}</title></entry></feed>", "a".repeat(20 << 20))).contains("without a tag"));
        assert!(reason(&format!("<feed>{}</feed>", "a ".repeat(20 << 20))).contains("without a tag"));
        assert!(all("<feed></feed>").is_empty());
    }
}
