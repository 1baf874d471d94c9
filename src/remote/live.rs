//! The pages of an answer, one after the other: which address comes first, and which follows from a page.
//!
//! What a page means is the matter of [`crate::source`]; here it is only looked at for the way to the next.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde_json::Value;

use super::address::{Address, Oai};
use super::client::{Client, network};
use super::escaped;
use crate::error::Result;

/// Papers in a page of arXiv's API; it takes 2,000, and answers slowly then.
const ARXIV_PAGE: usize = 500;
/// More arXiv's API does not give.
const ARXIV_MOST: usize = 30_000;
const HUB_PAGE: usize = 100;
const S2_PAGE: usize = 100;
/// More pages than any answer has.
const MOST_PAGES: usize = 100_000;
/// Pages without a record, one after the other, after which an archive has lost its way.
const MOST_EMPTY: usize = 5;
/// What is new is asked for from so many days before the last time: papers are announced days after they were sent in, and those that
/// moderators look at, more days.
const OVERLAP: i64 = 10;
/// The first time, what is new is of so many days.
const FIRST_DAYS: i64 = 7;

/// Where servers are; others can stand in for them.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Endpoints {
    pub hub: String,
    pub arxiv: String,
    pub arxiv_oai: String,
    pub s2: String,
    pub openalex: String,
    pub crossref: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        let of = str::to_owned;
        Self {
            hub: of("https://huggingface.co"),
            arxiv: of("https://export.arxiv.org"),
            arxiv_oai: of("https://oaipmh.arxiv.org/oai"),
            s2: of("https://api.semanticscholar.org"),
            openalex: of("https://api.openalex.org"),
            crossref: of("https://api.crossref.org"),
        }
    }
}

/// When an address is asked.
#[derive(Debug, Clone, Copy)]
pub struct When<'a> {
    /// Now.
    pub now: Timestamp,
    /// Where the last reading of this address ended, as [`When::cursor`] told it then.
    pub last: Option<&'a str>,
}

impl When<'_> {
    /// What to note when all was read: where the next reading goes on.
    pub fn cursor(&self) -> String {
        self.now.strftime("%Y-%m-%d").to_string()
    }

    /// What to note where not all was read, and nothing was noted before: the next reading begins where this one did.
    pub fn again(&self) -> String {
        self.since(None).saturating_add(Span::new().days(OVERLAP)).to_string()
    }

    /// From which day on what is new is asked for.
    fn since(&self, told: Option<Date>) -> Date {
        let before = |day: Date, days| day.saturating_sub(Span::new().days(days));
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let last = || self.last.and_then(|day| day.parse().ok()).map(|day: Date| before(day, OVERLAP).min(today));
        told.or_else(last).unwrap_or_else(|| before(today, FIRST_DAYS))
    }
}

/// Asks for an address, page by page. Nothing is asked before the first page is wanted.
pub fn pages(client: Arc<Client>, address: &Address, at: &Endpoints, when: When<'_>) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + Send> {
    match address {
        Address::Hub(name, value) => {
            let base = format!("{}/api/daily_papers?{name}={value}&limit={HUB_PAGE}", at.hub);
            let (mut page, mut before) = (0, Vec::new());
            Box::new(follow(client, format!("{base}&p=0"), any, move |_, body| {
                // A server that does not know of pages gives the same one for ever.
                let is_more = body.trim_ascii() != b"[]" && *body != before[..];
                before = body.to_vec();
                page += 1;
                Ok(is_more.then(|| format!("{base}&p={page}")))
            }))
        }
        Address::ArxivNew(categories, told) => {
            let categories = categories.iter().map(|name| format!("cat:{name}")).collect::<Vec<_>>().join(" OR ");
            arxiv_search(client, at, &categories, "lastUpdatedDate", Some(when.since(*told).to_string()))
        }
        Address::ArxivQuery(query) => arxiv_search(client, at, query, "submittedDate", None),
        Address::ArxivIds(ids) => {
            let url = format!("{}/api/query?id_list={}&max_results={}", at.arxiv, escaped(&ids.join(",")), ids.len());
            Box::new(follow(client, url, any, |_, _| Ok(None)))
        }
        Address::Oai(oai) => harvest(client, at, oai, when),
        Address::S2(words) => {
            let fields = "title,abstract,authors,externalIds,publicationDate,url";
            let base = format!("{}/graph/v1/paper/search?query={}&fields={fields}&limit={S2_PAGE}", at.s2, escaped(words));
            Box::new(follow(client, base.clone(), any, move |_, body| {
                let next = json(body)["next"].as_u64();
                Ok(next.map(|offset| format!("{base}&offset={offset}")))
            }))
        }
        Address::Openalex(words) => {
            let base = format!("{}/works?search={}&per-page=100&cursor=", at.openalex, escaped(words));
            Box::new(follow(client, format!("{base}*"), any, move |_, body| {
                let body = json(body);
                let is_empty = body["results"].as_array().is_none_or(Vec::is_empty);
                let next = body["meta"]["next_cursor"].as_str().filter(|_| !is_empty);
                Ok(next.map(|cursor| format!("{base}{}", escaped(cursor))))
            }))
        }
        Address::Doi(doi) => Box::new(follow(client, format!("{}/works/{}", at.crossref, escaped(doi)), any, |_, _| Ok(None))),
        Address::Url(url) => Box::new(follow(client, url.clone(), any, |_, _| Ok(None))),
    }
}

/// The first page, and those that `next` finds from the address and the body of each.
fn follow(
    client: Arc<Client>,
    first: String,
    is_whole: fn(&[u8]) -> bool,
    mut next: impl FnMut(&str, &[u8]) -> Result<Option<String>> + Send,
) -> impl Iterator<Item = Result<Vec<u8>>> + Send {
    let (mut url, mut asked, mut fault) = (Some(first), HashSet::new(), None);
    std::iter::from_fn(move || {
        if let Some(fault) = fault.take() {
            return Some(Err(fault));
        }
        let now = url.take()?;
        let body = match client.get(&now, is_whole) {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        // Whatever is wrong with the way to the next page, this one is here.
        match next(&now, &body) {
            Ok(Some(following)) if following == now || asked.contains(&following) || asked.len() >= MOST_PAGES => {
                fault = Some(network(&now, "the server goes round in a circle", Some("what was read before stays".to_owned())));
            }
            Ok(following) => url = following,
            Err(error) => fault = Some(error),
        }
        asked.insert(now);
        Some(Ok(body))
    })
}

fn any(_: &[u8]) -> bool {
    true
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// All that arXiv's API finds, by a date, the newest first; down to `since` where it is given.
fn arxiv_search(
    client: Arc<Client>,
    at: &Endpoints,
    query: &str,
    by: &str,
    since: Option<String>,
) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + Send> {
    let base = format!("{}/api/query?search_query={}&sortBy={by}&sortOrder=descending&max_results={ARXIV_PAGE}", at.arxiv, escaped(query));
    let mut start = 0;
    Box::new(follow(client, format!("{base}&start=0"), is_whole_feed, move |url, body| {
        let text = String::from_utf8_lossy(body);
        let found = text.matches("<entry>").count();
        start += found;
        // The feed has a date of its own before its entries.
        let oldest = text.split("<entry>").skip(1).filter_map(|entry| between(entry, "<updated>", "</updated>")).min();
        let is_old = since.as_deref().is_some_and(|since| oldest.is_some_and(|oldest| oldest < since));
        let is_all = found == 0 || total(&text).is_some_and(|total| start >= total);
        if !is_old && !is_all && start >= ARXIV_MOST {
            let hint = Some("ask for fewer categories, or for a shorter time; oai: has no such end".to_owned());
            return Err(network(url, format!("arXiv tells of {ARXIV_MOST} papers at most, and there are more"), hint));
        }
        Ok((!is_old && !is_all).then(|| format!("{base}&start={start}")))
    }))
}

/// arXiv's API now and then gives an empty page where there are papers.
fn is_whole_feed(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let start = text.split_once("startIndex").and_then(|(_, rest)| number(rest)).unwrap_or(0);
    text.contains("<entry>") || total(&text).is_none_or(|total| total <= start)
}

fn total(feed: &str) -> Option<usize> {
    feed.split_once("totalResults").and_then(|(_, rest)| number(rest))
}

/// The number in the element whose name was just read.
fn number(rest: &str) -> Option<usize> {
    between(rest, ">", "<")?.trim().parse().ok()
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.split_once(begin)?.1.split_once(end).map(|(inside, _)| inside)
}

fn harvest(client: Arc<Client>, at: &Endpoints, oai: &Oai, when: When<'_>) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + Send> {
    let (base, prefix) = oai.base.as_deref().map_or((at.arxiv_oai.as_str(), "arXiv"), |base| (base, "oai_dc"));
    let mut first = format!("{base}?verb=ListRecords&metadataPrefix={prefix}&from={}", when.since(oai.since));
    let more = [("until", oai.until.map(|day| day.to_string())), ("set", oai.set.clone())];
    for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        first.push_str(&format!("&{name}={}", escaped(&value)));
    }
    let (base, mut empty) = (base.to_owned(), 0);
    Box::new(follow(client, first, any, move |url, body| {
        let text = String::from_utf8_lossy(body);
        empty = if text.contains("<record") { 0 } else { empty + 1 };
        let token = text.rfind("<resumptionToken").and_then(|at| between(&text[at..], ">", "</resumptionToken>"));
        let token = token.map(|token| html_escape::decode_html_entities(token.trim()).into_owned()).filter(|token| !token.is_empty());
        if token.is_some() && empty > MOST_EMPTY {
            return Err(network(url, format!("the archive gave {empty} pages without a record, and promises more"), None));
        }
        Ok(token.map(|token| format!("{base}?verb=ListRecords&resumptionToken={}", escaped(&token))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_asked_for_from_before_the_last_time() {
        let when = |last| When { now: "2026-08-11T10:00:00Z".parse().unwrap(), last };
        let since = |last, told: Option<&str>| when(last).since(told.map(|day| day.parse().unwrap())).to_string();
        assert_eq!(since(None, None), "2026-08-04");
        assert_eq!(since(Some("2026-08-10"), None), "2026-07-31");
        // A clock went backwards.
        assert_eq!(since(Some("2027-01-01"), None), "2026-08-11");
        assert_eq!(since(Some("2026-08-10"), Some("2026-01-01")), "2026-01-01");
        assert_eq!(when(None).cursor(), "2026-08-11");
        let again = when(None).again();
        assert_eq!(since(Some(&again), None), "2026-08-04", "even later");
    }

    #[test]
    fn an_empty_page_is_told_from_an_empty_answer() {
        let feed = |total: usize, start: usize, entries: &str| {
            format!(
                "<feed><opensearch:totalResults xmlns=\"x\">{total}</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
            )
        };
        for (body, expected) in [
            (feed(0, 0, ""), true),
            (feed(9, 0, ""), false),
            (feed(9, 9, ""), true),
            (feed(9, 0, "<entry></entry>"), true),
            ("<html>".to_owned(), true),
        ] {
            assert_eq!(is_whole_feed(body.as_bytes()), expected, "{body}");
        }
    }
}
