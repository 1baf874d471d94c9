//! Sources that are asked over the network: what was typed to pages, and what the library notes of them.

use std::io::Read;
use std::path::Path;

use paperkin::ingest::Input;
use paperkin::library::Library;
use paperkin::paper::Paper;
use paperkin::source::{self, Format, Item};
use paperkin::{Error, Result};

use crate::settings::Settings;

/// What is to be noted when an address was read: its name, and where the next reading goes on.
pub(crate) struct Cursor {
    name: String,
    ends: String,
    /// The same where not all was read.
    begins: String,
}

impl Cursor {
    /// Where something was lost, the next reading begins where this one began.
    pub(crate) fn note(&self, is_whole: bool, library: &mut Library) -> Result<()> {
        match is_whole {
            true => library.set_cursor(&self.name, &self.ends),
            false if library.cursor(&self.name)?.is_none() => library.set_cursor(&self.name, &self.begins),
            false => Ok(()),
        }
    }
}

/// True if a text is an address that may be asked; files come before, as one may be called `hf:today`.
pub(crate) fn is_address(text: &str, settings: &Settings) -> Result<bool> {
    if Path::new(text).exists() { Ok(false) } else { address(text, settings).map(|address| address.is_some()) }
}

/// Papers that were fetched for a question.
pub(crate) struct Fetched {
    pub papers: Vec<Paper>,
    name: String,
    expected: Option<Format>,
    pages: Vec<Vec<u8>>,
}

impl Fetched {
    /// The same once more, for who keeps it.
    pub(crate) fn into_input(self) -> Input {
        let pages = self.pages.into_iter().map(|page| Ok(Box::new(std::io::Cursor::new(page)) as Box<dyn Read + Send>));
        Input::Pages(self.name, self.expected, Box::new(pages))
    }
}

/// The papers of an address, if they are no more than a question's seeds.
pub(crate) fn fetch(text: &str, settings: &Settings) -> Result<Fetched> {
    /// An address of a paper has one, and whoever has more has a list.
    const MOST: usize = 100;
    let not_one = || Error::usage(format!("{text} is no address of a paper"));
    let Some((Input::Pages(name, expected, pages), _)) = input(text, None, settings)? else { return Err(not_one()) };
    let mut fetched = Fetched { papers: Vec::new(), name, expected, pages: Vec::new() };
    for page in pages {
        let mut bytes = Vec::new();
        page?.read_to_end(&mut bytes).map_err(|e| Error::io("cannot read", fetched.name.as_ref(), e))?;
        for item in source::open(&fetched.name, bytes.as_slice(), &source::Options { expected, ..source::Options::default() })? {
            match item? {
                Item::Paper(paper) => fetched.papers.push(*paper),
                Item::Failed(failure) | Item::Lost(failure) => {
                    return Err(Error::Unreadable { origin: failure.place, what: failure.reason, hint: None });
                }
                Item::Deleted(_) | Item::Note(_) => {}
            }
            if fetched.papers.len() > MOST {
                return Err(Error::usage(format!("{} is a list of papers; `paperkin add` reads it", fetched.name)));
            }
        }
        fetched.pages.push(bytes);
    }
    if fetched.papers.is_empty() { Err(Error::NoPapers { origin: fetched.name, files: 0 }) } else { Ok(fetched) }
}

/// An input that is asked for over the network, and perhaps a cursor; nothing if the text is no address.
#[cfg(feature = "remote")]
pub(crate) fn input(text: &str, library: Option<&Library>, settings: &Settings) -> Result<Option<(Input, Option<Cursor>)>> {
    use std::io::Cursor as Bytes;

    use paperkin::remote::live::{self, When};

    let Some(address) = address(text, settings)? else { return Ok(None) };
    let name = address.cursor_name();
    let last = match (&name, library) {
        (Some(name), Some(library)) => library.cursor(name)?,
        _ => None,
    };
    let when = When { now: crate::settings::timestamp(), last: last.as_deref() };
    let cursor = name.map(|name| Cursor { name, ends: when.cursor(), begins: when.again() });
    let pages = live::pages(client(settings), &address, &endpoints(), when);
    let pages = pages.map(|page| page.map(|bytes| Box::new(Bytes::new(bytes)) as Box<dyn Read + Send>));
    Ok(Some((Input::Pages(address.to_string(), expected(&address), Box::new(pages)), cursor)))
}

/// One for the whole run: it knows whom it has asked, and when.
#[cfg(feature = "remote")]
fn client(settings: &Settings) -> std::sync::Arc<paperkin::remote::client::Client> {
    use std::sync::{Arc, OnceLock};
    use std::time::SystemTime;

    use paperkin::remote::client::{Client, Options};

    static CLIENT: OnceLock<Arc<Client>> = OnceLock::new();
    let client = || {
        let known = Options::new(SystemTime::now);
        let (pause, fresh_for) = (settings.pause.unwrap_or(known.pause), settings.fresh_for.unwrap_or(known.fresh_for));
        Client::new(Options { contact: settings.contact.clone(), cache: settings.answers.clone(), pause, fresh_for, ..known })
    };
    Arc::clone(CLIENT.get_or_init(|| Arc::new(client())))
}

/// The address of a paper is the paper, as far as somebody keeps what is known of it.
#[cfg(feature = "remote")]
fn address(text: &str, settings: &Settings) -> Result<Option<paperkin::remote::address::Address>> {
    use paperkin::paper::PaperId;
    use paperkin::remote::address::Address;

    // `oai:arXiv.org:2508.13426` is a paper too, and no set of an archive.
    let lower = text.to_ascii_lowercase();
    let is_link = ["http://", "https://", "doi:", "oai:"].iter().any(|scheme| lower.starts_with(scheme));
    let address = match PaperId::parse(text) {
        PaperId::Arxiv(id) if is_link => Some(Address::ArxivIds(vec![id])),
        PaperId::Doi(doi) if is_link => Some(Address::Doi(doi)),
        _ => Address::parse(text, crate::settings::today())?,
    };
    match address {
        Some(address) if settings.offline => {
            let hint = Some("without --offline, and with no variable that says so, it is asked".to_owned());
            Err(Error::Network { url: address.to_string(), what: "paperkin is set to offline, and does not ask".to_owned(), may_pass: false, hint })
        }
        address => Ok(address),
    }
}

/// The format of an answer.
#[cfg(feature = "remote")]
fn expected(address: &paperkin::remote::address::Address) -> Option<Format> {
    use paperkin::remote::address::Address;

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
