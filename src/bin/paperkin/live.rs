//! Sources that are asked over the network: what was typed to pages, and what the library notes of them.

use std::io::BufReader;
use std::path::Path;

use paperkin::ingest::Input;
use paperkin::library::Library;
use paperkin::paper::Paper;
use paperkin::source::{self, Item};
use paperkin::{Error, Result};

use crate::settings::Settings;

/// What is to be noted when all of an address was read: its name, and where the next reading goes on.
pub(crate) struct Cursor {
    name: String,
    ends: String,
}

impl Cursor {
    pub(crate) fn note(&self, library: &mut Library) -> Result<()> {
        library.set_cursor(&self.name, &self.ends)
    }
}

/// True if a text is an address that may be asked; files come before, as one may be called `hf:today`.
pub(crate) fn is_address(text: &str, settings: &Settings) -> Result<bool> {
    if Path::new(text).exists() { Ok(false) } else { address(text, settings).map(|address| address.is_some()) }
}

/// The papers of an address that are no more than a question's seeds.
pub(crate) fn papers(text: &str, settings: &Settings) -> Result<Vec<Paper>> {
    /// An address of a paper has one, and whoever has more has a list.
    const MOST: usize = 100;
    let Some((Input::Pages(name, expected, pages), _)) = input(text, None, settings)? else { return Ok(Vec::new()) };
    let mut papers = Vec::new();
    for page in pages {
        for item in source::open(&name, BufReader::new(page?), &source::Options { expected, ..source::Options::default() })? {
            match item? {
                Item::Paper(paper) => papers.push(*paper),
                Item::Failed(failure) => return Err(Error::Unreadable { origin: failure.place, what: failure.reason, hint: None }),
                Item::Note(_) => {}
            }
            if papers.len() > MOST {
                return Err(Error::usage(format!("{name} is a list of papers; `paperkin add` reads it")));
            }
        }
    }
    if papers.is_empty() { Err(Error::NoPapers { origin: name, files: 0 }) } else { Ok(papers) }
}

/// An input that is asked for over the network, and perhaps a cursor; nothing if the text is no address.
#[cfg(feature = "remote")]
pub(crate) fn input(text: &str, library: Option<&Library>, settings: &Settings) -> Result<Option<(Input, Option<Cursor>)>> {
    use std::io::{Cursor as Bytes, Read};
    use std::sync::Arc;
    use std::time::SystemTime;

    use paperkin::remote::client::{Client, Options};
    use paperkin::remote::live::{self, When};

    let Some(address) = address(text, settings)? else { return Ok(None) };
    let name = address.cursor_name();
    let last = match (&name, library) {
        (Some(name), Some(library)) => library.cursor(name)?,
        _ => None,
    };
    let options = Options { contact: settings.contact.clone(), cache: settings.answers.clone(), ..Options::new(SystemTime::now) };
    let options = Options { pause: settings.pause.unwrap_or(options.pause), fresh_for: settings.fresh_for.unwrap_or(options.fresh_for), ..options };
    let when = When { now: jiff::Timestamp::now(), last: last.as_deref() };
    let cursor = name.map(|name| Cursor { name, ends: when.cursor() });
    let pages = live::pages(Arc::new(Client::new(options)), &address, &endpoints(), when);
    let pages = pages.map(|page| page.map(|bytes| Box::new(Bytes::new(bytes)) as Box<dyn Read + Send>));
    Ok(Some((Input::Pages(address.to_string(), expected(&address), Box::new(pages)), cursor)))
}

/// The address of a paper is the paper, as far as somebody keeps what is known of it.
#[cfg(feature = "remote")]
fn address(text: &str, settings: &Settings) -> Result<Option<paperkin::remote::address::Address>> {
    use paperkin::paper::PaperId;
    use paperkin::remote::address::Address;

    let is_link = text.starts_with("http://") || text.starts_with("https://");
    let address = match PaperId::parse(text) {
        PaperId::Arxiv(id) if is_link => Some(Address::ArxivIds(vec![id])),
        PaperId::Doi(doi) if is_link => Some(Address::Doi(doi)),
        _ => Address::parse(text, crate::settings::today())?,
    };
    match address {
        Some(address) if settings.offline => {
            let hint = Some("without --offline, and with no variable that says so, it is asked".to_owned());
            Err(Error::Network { url: address.to_string(), what: "paperkin is set to offline, and does not ask".to_owned(), hint })
        }
        address => Ok(address),
    }
}

/// The format of an answer.
#[cfg(feature = "remote")]
fn expected(address: &paperkin::remote::address::Address) -> Option<source::Format> {
    use paperkin::remote::address::Address;
    use paperkin::source::Format;

    Some(match address {
        Address::Hub(..) => Format::Hf,
        Address::ArxivNew(..) | Address::ArxivQuery(_) | Address::ArxivIds(_) => Format::Feed,
        Address::Oai(_) => Format::Oai,
        Address::S2(_) => Format::S2,
        Address::Openalex(_) => Format::Openalex,
        Address::Doi(_) => Format::Crossref,
        Address::Url(_) => return None,
    })
}

/// The servers, or what stands in for them.
#[cfg(feature = "remote")]
fn endpoints() -> paperkin::remote::live::Endpoints {
    use crate::settings::variable;

    let known = paperkin::remote::live::Endpoints::default();
    let of = |name: &str, known: String| variable(name).map_or(known, |url| url.trim_end_matches('/').to_owned());
    paperkin::remote::live::Endpoints {
        hub: of("HF_ENDPOINT", known.hub),
        arxiv: of("PAPERKIN_ARXIV", known.arxiv),
        arxiv_oai: of("PAPERKIN_ARXIV_OAI", known.arxiv_oai),
        s2: of("PAPERKIN_S2", known.s2),
        openalex: of("PAPERKIN_OPENALEX", known.openalex),
        crossref: of("PAPERKIN_CROSSREF", known.crossref),
    }
}

/// This build cannot open a connection.
#[cfg(not(feature = "remote"))]
pub(crate) fn input(text: &str, _: Option<&Library>, settings: &Settings) -> Result<Option<(Input, Option<Cursor>)>> {
    address(text, settings).map(|_| None)
}

#[cfg(not(feature = "remote"))]
fn address(text: &str, _: &Settings) -> Result<Option<()>> {
    let schemes = ["hf:", "arxiv:", "oai:", "s2:", "openalex:", "doi:", "feed:", "http://", "https://"];
    if !schemes.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(None);
    }
    Err(Error::Usage {
        message: format!("{text}: this paperkin was built without the network"),
        hint: Some("fetch it with another program and give the file, or pipe it: `… | paperkin add -`".to_owned()),
    })
}
