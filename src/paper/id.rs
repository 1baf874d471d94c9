//! What a paper is called: an arXiv id in any of its forms, a DOI, the source's own id, or its title.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{TextHash, title_key};

/// An id, without version. The order of the variants is the order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaperId {
    /// `2508.13426` or, before April 2007, `hep-ex/0307015`.
    Arxiv(String),
    /// `10.1103/physrevlett.116.061102`, in lower case, as DOIs know no case.
    Doi(String),
    /// Whatever text the source gave, as it is.
    Given(String),
    /// `title:` and 16 hexadecimal digits of the hash of the title's normal form.
    Title(String),
}

/// The kinds of id: a paper has at most one of the first three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Arxiv,
    Doi,
    Given,
    Title,
}

const TITLE_PREFIX: &str = "title:";
const TITLE_DIGITS: usize = 16;

impl PaperId {
    /// Reads an id in any form: bare, `arXiv:`, `oai:arXiv.org:`, abs, pdf and html addresses, the hub's
    /// `/papers/`, `doi:` and DOI addresses. What is none of these is kept as it is.
    ///
    /// ```
    /// use paperkin::paper::PaperId;
    /// let id = PaperId::Arxiv("2508.13426".into());
    /// assert_eq!(PaperId::parse("https://arxiv.org/pdf/2508.13426v2.pdf"), id);
    /// assert_eq!(PaperId::parse("arXiv:2508.13426"), id);
    /// assert_eq!(PaperId::parse("W2741809807"), PaperId::Given("W2741809807".into()));
    /// ```
    pub fn parse(text: &str) -> Self {
        Self::parse_versioned(text).0
    }

    /// [`PaperId::parse`], and the arXiv version where one stood behind the id.
    pub fn parse_versioned(text: &str) -> (Self, Option<u32>) {
        let text = text.trim();
        if let Some((id, version)) = arxiv(text) {
            return (Self::Arxiv(id), version);
        }
        if let Some(doi) = doi(text) {
            // arXiv gives every paper a DOI of its own, which says no more than the id.
            return match doi.strip_prefix("10.48550/arxiv.").and_then(arxiv_bare) {
                Some((id, version)) => (Self::Arxiv(id), version),
                None => (Self::Doi(doi), None),
            };
        }
        let title_hash =
            text.strip_prefix(TITLE_PREFIX).filter(|hex| hex.len() == TITLE_DIGITS && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        match title_hash {
            Some(hex) => (Self::Title(hex.to_owned()), None),
            None => (Self::Given(text.to_owned()), None),
        }
    }

    /// The id of a paper that has no other.
    pub fn of_title(title: &str) -> Self {
        let TextHash(bytes) = TextHash::of(&title_key(title));
        Self::Title(bytes[..TITLE_DIGITS / 2].iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Arxiv(_) => Kind::Arxiv,
            Self::Doi(_) => Kind::Doi,
            Self::Given(_) => Kind::Given,
            Self::Title(_) => Kind::Title,
        }
    }
}

impl fmt::Display for PaperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arxiv(id) | Self::Doi(id) | Self::Given(id) => f.write_str(id),
            Self::Title(hex) => write!(f, "{TITLE_PREFIX}{hex}"),
        }
    }
}

impl Serialize for PaperId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PaperId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

/// `text` without `prefix`, whatever the case of the letters in it.
fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn without_scheme(text: &str) -> &str {
    ["https://", "http://"].iter().find_map(|scheme| strip_prefix_ignoring_case(text, scheme)).unwrap_or(text)
}

fn arxiv(text: &str) -> Option<(String, Option<u32>)> {
    const PREFIXES: [&str; 13] = [
        "arxiv:",
        "oai:arxiv.org:",
        "arxiv.org/abs/",
        "www.arxiv.org/abs/",
        "export.arxiv.org/abs/",
        "arxiv.org/pdf/",
        "www.arxiv.org/pdf/",
        "arxiv.org/html/",
        "www.arxiv.org/html/",
        "huggingface.co/papers/",
        "hf.co/papers/",
        "alphaxiv.org/abs/",
        "/papers/",
    ];
    let text = without_scheme(text);
    let rest = PREFIXES.iter().find_map(|prefix| strip_prefix_ignoring_case(text, prefix)).unwrap_or(text);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let rest = rest.strip_suffix(".pdf").unwrap_or(rest);
    arxiv_bare(rest.trim().trim_end_matches('/'))
}

/// `2508.13426`, `2508.13426v2`, `hep-ex/0307015`, `math.GT/0309136`.
fn arxiv_bare(text: &str) -> Option<(String, Option<u32>)> {
    let (id, version) = match text.rsplit_once('v') {
        Some((id, digits)) if !digits.is_empty() && digits.len() <= 4 && all_digits(digits) => (id, digits.parse().ok()),
        _ => (text, None),
    };
    match id.split_once('/') {
        None => {
            let (month, number) = id.split_once('.')?;
            // Four digits behind the dot until the end of 2014, five since.
            let digits = if month < "1501" { 4 } else { 5 };
            let is_month = month.len() == 4 && all_digits(month) && ("01"..="12").contains(&&month[2..]);
            let new_style = is_month && number.len() == digits && all_digits(number);
            new_style.then(|| (id.to_owned(), version))
        }
        Some((archive, number)) => {
            let (archive, class) = archive.split_once('.').unwrap_or((archive, "AA"));
            let old_style = number.len() == 7
                && all_digits(number)
                && (2..=12).contains(&archive.len())
                && archive.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && class.len() == 2
                && class.bytes().all(|b| b.is_ascii_uppercase());
            // The subject class is not part of the id: math.GT/0309136 is math/0309136.
            old_style.then(|| (format!("{archive}/{number}"), version))
        }
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn doi(text: &str) -> Option<String> {
    let text = without_scheme(text);
    let rest =
        ["doi:", "doi.org/", "dx.doi.org/", "www.doi.org/"].iter().find_map(|prefix| strip_prefix_ignoring_case(text, prefix)).unwrap_or(text).trim();
    let (registrant, suffix) = rest.strip_prefix("10.")?.split_once('/')?;
    let valid = (4..=9).contains(&registrant.len())
        && registrant.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !suffix.is_empty()
        && !suffix.contains(char::is_whitespace);
    valid.then(|| rest.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_id_is_read() {
        let arxiv = |id: &str| PaperId::Arxiv(id.to_owned());
        let given = |id: &str| PaperId::Given(id.to_owned());
        let cases = [
            ("2508.13426", arxiv("2508.13426"), None),
            (" 2508.13426v12 ", arxiv("2508.13426"), Some(12)),
            ("arXiv:0704.0001v1", arxiv("0704.0001"), Some(1)),
            ("oai:arXiv.org:2508.13426v1", arxiv("2508.13426"), Some(1)),
            ("http://arxiv.org/abs/hep-ex/0307015v2", arxiv("hep-ex/0307015"), Some(2)),
            ("https://arxiv.org/pdf/2508.13426v3.pdf", arxiv("2508.13426"), Some(3)),
            ("https://huggingface.co/papers/2508.13426?x=1#community", arxiv("2508.13426"), None),
            ("/papers/2508.13426", arxiv("2508.13426"), None),
            ("math.GT/0309136", arxiv("math/0309136"), None),
            ("https://doi.org/10.48550/arXiv.2508.13426", arxiv("2508.13426"), None),
            ("https://doi.org/10.1103/PhysRevLett.116.061102", PaperId::Doi("10.1103/physrevlett.116.061102".into()), None),
            ("doi:10.1000/182", PaperId::Doi("10.1000/182".into()), None),
            ("title:0123456789abcdef", PaperId::Title("0123456789abcdef".into()), None),
            ("title:0123", given("title:0123"), None),
            ("2508.13426x", given("2508.13426x"), None),
            ("25081.3426", given("25081.3426"), None),
            ("9999.12345", given("9999.12345"), None),
            ("2508.1342", given("2508.1342"), None),
            ("10.1/x", given("10.1/x"), None),
            ("ключ 🚀", given("ключ 🚀"), None),
            ("", given(""), None),
        ];
        let wrong: Vec<_> = cases.iter().filter(|(text, id, version)| PaperId::parse_versioned(text) != (id.clone(), *version)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn an_id_is_read_back_from_what_it_prints() {
        let ids = ["2508.13426", "hep-ex/0307015", "10.1000/182", "W27", "title:0123456789abcdef"];
        for id in ids.map(PaperId::parse) {
            assert_eq!(PaperId::parse(&id.to_string()), id);
        }
    }
}
