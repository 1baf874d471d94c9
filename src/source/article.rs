//! The web page of a paper, as publishers and archives write it for search engines: `<meta name="citation_title" content="…">`
//! (Highwire Press tags, of Google Scholar's inclusion guidelines).

use super::clean::{clean, clean_abstract, clean_text, without_tags};
use super::oai::last_name_last;
use super::ris::whole_date;
use super::{Failure, Item};
use crate::paper::{Kind, Paper, PaperId};

/// Tags of a page that are looked at.
const MOST_TAGS: usize = 10_000;

/// True if a page names a paper.
pub(super) fn is_article(html: &str) -> bool {
    html.contains("citation_title")
}

/// The paper of a page.
pub(super) fn read(origin: &str, html: &str) -> Vec<Item> {
    let paper = paper(html);
    let failed = || Item::Failed(Failure { place: origin.to_owned(), reason: "the page names no paper".to_owned() });
    vec![paper.map_or_else(failed, |paper| Item::Paper(Box::new(paper)))]
}

fn paper(html: &str) -> Option<Paper> {
    let metas: Vec<(String, String)> = html.split("<meta").skip(1).filter_map(meta).take(MOST_TAGS).collect();
    let all = |names: &'static [&'static str]| {
        let named = names.iter().flat_map(|name| metas.iter().filter(move |(own, _)| own == name));
        named.map(|(_, content)| content.as_str()).filter(|content| !content.trim().is_empty())
    };
    let first = |names: &'static [&'static str]| all(names).next().unwrap_or_default();
    let mut paper = Paper {
        title: clean_text(&without_tags(first(&["citation_title"]))),
        // What pages say of themselves elsewhere, as in `og:description`, may be of the site.
        abstract_text: clean_abstract(&without_tags(first(&["citation_abstract", "dc.description", "dcterms.abstract"]))),
        authors: all(&["citation_author"]).map(author).filter(|name| !name.is_empty()).collect(),
        published: whole_date(first(&["citation_publication_date", "citation_date", "citation_online_date"])),
        url: Some(clean(first(&["citation_abstract_html_url", "citation_public_url", "og:url", "citation_pdf_url"])))
            .filter(|url| url.starts_with("http")),
        ..Paper::default()
    };
    for id in all(&["citation_arxiv_id", "citation_doi", "dc.identifier", "citation_abstract_html_url", "og:url"]) {
        let (id, version) = PaperId::parse_versioned(clean(id).trim_start_matches("doi:"));
        if matches!(id.kind(), Kind::Arxiv | Kind::Doi) {
            paper.version = paper.version.or(version);
            paper.add_id(id);
        }
    }
    (!paper.title.is_empty()).then_some(paper)
}

fn author(name: &str) -> String {
    last_name_last(&clean_text(&without_tags(name)))
}

/// Up to the end of an element, which is where no quote is open.
fn element(text: &str) -> &str {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return &text[..at],
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    text
}

/// The name and the content of an element, of which the text begins behind `<meta`.
fn meta(text: &str) -> Option<(String, String)> {
    let text = element(text);
    let attribute = |name: &str| {
        let mut rest = text;
        loop {
            let at = rest.find(name)?;
            let before = rest[..at].chars().next_back();
            let value = rest[at + name.len()..].trim_start().strip_prefix('=').map(str::trim_start);
            // The element ends where no quote is open; a name that stands in a value is not followed by `="`.
            match value.and_then(|value| Some((value.chars().next().filter(|c| matches!(c, '"' | '\''))?, value))) {
                Some((quote, value)) if before.is_none_or(char::is_whitespace) => {
                    return value[1..].split(quote).next().map(|value| html_escape::decode_html_entities(value).into_owned());
                }
                _ => rest = &rest[at + name.len()..],
            }
        }
    };
    let name = attribute("name").or_else(|| attribute("property"))?;
    Some((name.to_ascii_lowercase(), attribute("content")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_of_a_page_is_read() {
        let html = "<!doctype html><html><head><meta charset='utf-8'><meta content=\"On &lt;i&gt;it&lt;/i&gt; &amp; more\" name=\"citation_title\">\n\
            <meta name='citation_author' content='Lovelace, Ada'/><meta name=\"citation_author\" content=\"Alan Turing\">\n\
            <meta name=\"citation_date\" content=\"2020/5/6\"/><meta name=\"citation_arxiv_id\" content=\"2005.00001\"/>\n\
            <meta name=\"citation_doi\" content=\"doi:10.1000/X\"><meta name=\"citation_abstract\" content=\"We say &quot;look&quot; > there.\">\n\
            <meta property='og:url' content='https://example.org/1'></head><body><p>Hello";
        assert!(is_article(html));
        let items = read("x", html);
        let [Item::Paper(paper)] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((paper.title.as_str(), paper.abstract_text.as_str()), ("On it & more", "We say \"look\" > there."));
        assert_eq!((paper.authors.as_slice(), paper.doi()), (&["Ada Lovelace".to_owned(), "Alan Turing".to_owned()][..], Some("10.1000/x")));
        assert_eq!((paper.id().to_string(), paper.published.unwrap().to_string()), ("2005.00001".into(), "2020-05-06".into()));
        assert_eq!(paper.url.as_deref(), Some("https://example.org/1"));
        assert!(matches!(&read("x", "<meta name=\"citation_title\" content=>")[..], [Item::Failed(_)]));
        let nobody = read("x", "<meta name='citation_title' content='T'><meta name='citation_author' content='<b></b>'>");
        assert!(matches!(&nobody[..], [Item::Paper(paper)] if paper.authors.is_empty()), "{nobody:?}");
    }
}
