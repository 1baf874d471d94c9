//! What can be asked for: `hf:2026-08-11`, `arxiv:cs.LG+stat.ML`, `oai:cs`, `s2:`, `openalex:`, `doi:`, `feed:` and addresses.

use std::fmt;

use jiff::civil::Date;

use crate::error::{Error, Result};

/// A source that is asked over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Daily Papers of a day, a week or a month: the name of the parameter, and its value.
    Hub(&'static str, String),
    /// What is new in categories of arXiv since a day, or since the last time.
    ArxivNew(Vec<String>, Option<Date>),
    /// What arXiv's API finds, the newest first.
    ArxivQuery(String),
    /// Papers by their arXiv ids.
    ArxivIds(Vec<String>),
    /// A set of an archive, arXiv's unless an address is given.
    Oai(Oai),
    /// What Semantic Scholar finds.
    S2(String),
    /// What OpenAlex finds.
    Openalex(String),
    /// What Crossref knows of a DOI.
    Doi(String),
    /// What is there, in any format.
    Url(String),
}

/// A harvest by OAI-PMH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Oai {
    /// The archive's address; arXiv's without one.
    pub base: Option<String>,
    /// The archive's name for a part of it.
    pub set: Option<String>,
    /// Changed on this day or later; without it, since the last time.
    pub since: Option<Date>,
    /// Changed on this day or earlier.
    pub until: Option<Date>,
}

/// Schemes, and what may follow them.
const SCHEMES: [(&str, &str); 8] = [
    ("hf:", "hf:today, hf:2026-08-11, hf:2026-W32 or hf:2026-08"),
    ("arxiv:", "arxiv:cs.LG+stat.ML, arxiv:query=all:attention or arxiv:2508.13426"),
    ("oai:", "oai:cs or \"oai:cs since=2026-08-01\""),
    ("s2:", "s2:WORDS"),
    ("openalex:", "openalex:WORDS"),
    ("doi:", "doi:10.1000/182"),
    ("feed:", "feed:https://example.org/feed.xml"),
    ("http", "an address"),
];

impl Address {
    /// Reads an address. Nothing if it has no scheme that is known here: then it is the name of a file. `today` is what `hf:today` means.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if what follows the scheme is none of what may.
    pub fn parse(text: &str, today: Date) -> Result<Option<Self>> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("http://") || lower.starts_with("https://") {
            return Ok(Some(Self::Url(text.to_owned())));
        }
        let Some((scheme, forms)) = SCHEMES.iter().find(|(scheme, _)| scheme.ends_with(':') && lower.starts_with(scheme)) else { return Ok(None) };
        let rest = text[scheme.len()..].trim();
        let found = match *scheme {
            "hf:" => hub(rest, today),
            "arxiv:" => arxiv(rest),
            "oai:" => oai(rest).map(Self::Oai),
            "feed:" => {
                rest.starts_with("http://").then_some(rest).or(rest.strip_prefix("https://").map(|_| rest)).map(|url| Self::Url(url.to_owned()))
            }
            _ if rest.is_empty() => None,
            "s2:" => Some(Self::S2(rest.to_owned())),
            "openalex:" => Some(Self::Openalex(rest.to_owned())),
            _ => Some(Self::Doi(rest.to_owned())).filter(|_| rest.starts_with("10.") && rest.contains('/')),
        };
        let wrong = || Error::Usage { message: format!("{text:?} is not clear"), hint: Some(format!("expected {forms}")) };
        found.map(Some).ok_or_else(wrong)
    }

    /// The name under which a library notes up to where this was read, if it goes on from there.
    pub fn cursor_name(&self) -> Option<String> {
        match self {
            Self::ArxivNew(_, None) | Self::Oai(Oai { since: None, until: None, .. }) => Some(self.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(_, when) => write!(f, "hf:{when}"),
            Self::ArxivNew(categories, _) => write!(f, "arxiv:{}", categories.join("+")),
            Self::ArxivQuery(query) => write!(f, "arxiv:query={query}"),
            Self::ArxivIds(ids) => write!(f, "arxiv:{}", ids.join(",")),
            Self::Oai(Oai { base, set, .. }) => {
                let parts = [base.as_deref(), set.as_deref()];
                write!(f, "oai:{}", parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
            Self::S2(words) => write!(f, "s2:{words}"),
            Self::Openalex(words) => write!(f, "openalex:{words}"),
            Self::Doi(doi) => write!(f, "doi:{doi}"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

fn hub(when: &str, today: Date) -> Option<Address> {
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = when.split('-').collect();
    let day = |day: Date| Address::Hub("date", day.to_string());
    match parts.as_slice() {
        ["today"] => Some(day(today)),
        ["yesterday"] => Some(day(today.yesterday().ok()?)),
        [_, _, _] => when.parse().ok().map(day),
        [year, week] if digits(year, 4) && week.starts_with(['W', 'w']) && digits(&week[1..], 2) && ("01"..="53").contains(&&week[1..]) => {
            Some(Address::Hub("week", when.to_ascii_uppercase()))
        }
        [year, month] if digits(year, 4) && digits(month, 2) && ("01"..="12").contains(month) => Some(Address::Hub("month", when.to_owned())),
        _ => None,
    }
}

fn arxiv(text: &str) -> Option<Address> {
    if let Some(query) = text.strip_prefix("query=") {
        return Some(query.trim()).filter(|query| !query.is_empty()).map(|query| Address::ArxivQuery(query.to_owned()));
    }
    let (names, settings) = text.split_once(' ').unwrap_or((text, ""));
    let is_id = |name: &&str| name.starts_with(|c: char| c.is_ascii_digit()) || name.contains('/');
    let is_plain = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/' | b'*'));
    let names: Vec<&str> = names.split(['+', ',']).collect();
    let owned = || names.iter().map(|name| (*name).to_owned()).collect();
    if !names.iter().all(is_plain) {
        return None;
    }
    match (names.iter().all(is_id), names.iter().any(is_id)) {
        (true, _) => Some(Address::ArxivIds(owned())).filter(|_| settings.is_empty()),
        (false, true) => None,
        (false, false) => {
            let since = setting(settings, "since")?;
            settings.split_whitespace().all(|word| word.starts_with("since=")).then(|| Address::ArxivNew(owned(), since))
        }
    }
}

fn oai(text: &str) -> Option<Oai> {
    let mut oai = Oai { since: setting(text, "since")?, until: setting(text, "until")?, ..Oai::default() };
    for word in text.split_whitespace() {
        match word.split_once('=') {
            _ if word.starts_with("http://") || word.starts_with("https://") => oai.base = Some(word.to_owned()),
            Some(("since" | "until", _)) => {}
            Some(("set", set)) => oai.set = Some(set.to_owned()),
            None if oai.set.is_none() => oai.set = Some(word.to_owned()),
            _ => return None,
        }
    }
    // Up to a day, but from when?
    let is_clear = oai.until.is_none() || oai.since.is_some();
    (is_clear && (oai.set.is_some() || oai.base.is_some())).then_some(oai)
}

/// The day of `name=DAY` among words; nothing at all if it is no day.
fn setting(text: &str, name: &str) -> Option<Option<Date>> {
    let value = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    match value {
        Some(day) => day.parse().ok().map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_print_as_they_are() {
        let today = "2026-08-11".parse().unwrap();
        let read = |text: &str| Address::parse(text, today).unwrap().unwrap();
        for text in [
            "hf:2026-08-11",
            "hf:2026-W32",
            "hf:2026-08",
            "arxiv:cs.LG+stat.ML",
            "arxiv:2508.13426,hep-ex/0307015v2",
            "arxiv:query=all:x AND cat:cs.LG",
            "oai:cs",
            "oai:https://x.org/oai math",
            "s2:graph networks",
            "openalex:x",
            "doi:10.1000/182",
            "https://x.org/a",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("hf:today").to_string(), "hf:2026-08-11");
        assert_eq!(read("HF:yesterday").to_string(), "hf:2026-08-10");
        assert_eq!(read("feed:https://x.org/a"), Address::Url("https://x.org/a".to_owned()));
        let day = |text: &str| Some(text.parse().unwrap());
        assert_eq!(
            read("oai:cs since=2026-08-01 until=2026-08-02"),
            Address::Oai(Oai { set: Some("cs".into()), since: day("2026-08-01"), until: day("2026-08-02"), base: None })
        );
        assert_eq!(read("arxiv:cs.LG since=2026-08-01"), Address::ArxivNew(vec!["cs.LG".into()], day("2026-08-01")));
        assert_eq!((read("arxiv:cs.LG").cursor_name(), read("hf:today").cursor_name()), (Some("arxiv:cs.LG".into()), None));
    }

    #[test]
    fn what_is_not_clear_is_told() {
        let today = "2026-08-11".parse().unwrap();
        for text in [
            "hf:",
            "hf:2026-13",
            "hf:2026-02-30",
            "hf:2026-W54",
            "arxiv:",
            "arxiv:cs.LG+2508.13426",
            "arxiv:cs LG",
            "arxiv:query=",
            "arxiv:a&b",
            "oai:",
            "oai:cs since=x",
            "oai:cs until=2026-08-01",
            "s2:",
            "doi:x",
            "feed:x.org",
        ] {
            assert!(Address::parse(text, today).is_err(), "{text}");
        }
        for text in ["papers.jsonl", "-", "C:\\x", "2508.13426", "httpd.log"] {
            assert_eq!(Address::parse(text, today).unwrap(), None, "{text}");
        }
    }
}
