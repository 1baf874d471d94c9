//! One error for the whole crate: facts in named fields, a hint where there is a remedy, and the
//! class that decides the exit code.
//!
//! Messages say what, where, got and expected, in lower case and without a final period. A record
//! that cannot be read is not an `Error`: it is counted and reported (see [`crate::ingest::Report`]).

use std::path::{Path, PathBuf};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are the facts that the message prints
pub enum Error {
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("{message}")]
    Usage { message: String, hint: Option<String> },

    #[error("{origin}: {what}")]
    Unreadable { origin: String, what: String, hint: Option<String> },

    #[error("{origin}: {what}")]
    UnknownFormat { origin: String, what: String, hint: Option<String> },

    #[error("no papers in {origin}{}", read_files(*files))]
    NoPapers { origin: String, files: usize },

    #[error("no paper is known as \"{asked}\"{}", listed("the nearest titles are", nearest))]
    UnknownPaper { asked: String, nearest: Vec<String> },

    #[error("\"{asked}\" is in {total} titles{}", listed("among them", candidates))]
    AmbiguousTitle { asked: String, candidates: Vec<String>, total: usize },

    #[error("no library at {}", path.display())]
    NoLibrary { path: PathBuf },

    #[error("the library at {} is in use by another paperkin{}", path.display(), process(holder))]
    Locked { path: PathBuf, holder: Option<String> },

    #[error("{}: {what}", path.display())]
    NotALibrary { path: PathBuf, what: String },

    #[error("the library at {} has format {found}; this paperkin reads format {expected}", path.display())]
    LibraryFormat { path: PathBuf, found: i64, expected: i64 },

    #[error("the library is damaged: {what}")]
    LibraryDamaged { what: String },

    #[error("the index is damaged: {what}")]
    IndexDamaged { what: String },

    #[error("the library's vectors were made by {library}, not by {asked} ({difference})")]
    OtherModel { library: String, asked: String, difference: String },

    #[error("the model {model} is not on this machine{}; looked in {}", because(why), looked.join(", "))]
    ModelNotFound { model: String, looked: Vec<String>, why: String },

    #[error("the model {model} cannot be used: {what}")]
    ModelUnsupported { model: String, what: String },

    #[error("the model {model} is damaged: {what}")]
    ModelDamaged { model: String, what: String },

    #[error("{what}: {url}")]
    Network { url: String, what: String, may_pass: bool, hint: Option<String> },

    #[error("mail to {to} by {way}: {what}")]
    Mail { to: String, way: String, what: String },

    #[error("the device {asked} cannot be used: {why}")]
    Device { asked: String, why: String },

    #[error("interrupted")]
    Interrupted,

    #[error("the store failed: {0}")]
    Store(#[from] rusqlite::Error),

    #[error("the encoder failed: {0}")]
    Encoder(#[from] candle_core::Error),
}

/// What the exit code of the program says; see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ExitClass {
    Done = 0,
    Failure = 1,
    Usage = 2,
    /// Only where it was asked for.
    NothingNew = 3,
    ModelMissing = 4,
    OtherModel = 5,
    Locked = 6,
    Partial = 7,
    Interrupted = 130,
}

impl Error {
    /// An I/O error, with what was being done to which path.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// What is wrong at a place of a file's text, with its line and column.
    pub fn in_file(path: &Path, text: &str, at: usize, what: &str) -> Self {
        let before = &text[..at.min(text.len())];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::usage(format!("{}:{}:{column}: {what}", path.display(), before.matches('\n').count() + 1))
    }

    /// A wrong argument or setting.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// The command or setting that mends it, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Usage { hint, .. } | Self::Unreadable { hint, .. } | Self::UnknownFormat { hint, .. } | Self::Network { hint, .. } => {
                return hint.clone();
            }
            Self::NoPapers { .. } => "`paperkin add --help` tells what paperkin reads",
            Self::UnknownPaper { asked, .. } if is_arxiv_id(asked) => {
                return Some(format!("`paperkin similar arxiv:{asked}` fetches it, and `paperkin add arxiv:{asked}` keeps it"));
            }
            Self::UnknownPaper { .. } => "`paperkin ls` lists the papers, `paperkin search TEXT` finds papers about something",
            Self::AmbiguousTitle { .. } => "give more of the title, or the id in front of it",
            Self::NoLibrary { .. } => "`paperkin add FILE` makes one; `--in FILE` answers from a file without keeping a library",
            Self::Locked { .. } => "wait until it has ended; a lock goes with its process",
            Self::NotALibrary { .. } => "give the directory of a library with --library",
            Self::LibraryFormat { found, expected, .. } if found > expected => "a newer paperkin made it; use that one",
            Self::LibraryDamaged { .. } => "`paperkin verify` tells all that is wrong",
            Self::IndexDamaged { .. } => "it can be deleted: the papers and their vectors are in library.db",
            Self::OtherModel { .. } => {
                "`paperkin reindex` with the model that you want embeds the library anew; or give the library's own model with --model"
            }
            Self::ModelNotFound { why, .. } if why.contains("the hub does not know it") => {
                "look at the name again; for a private model, give a token in HF_TOKEN"
            }
            Self::ModelNotFound { model, .. } => return Some(format!("`paperkin model fetch {model}` gets it")),
            Self::ModelUnsupported { .. } => "`paperkin model list` shows the models on this machine; without --model the built-in one is used",
            Self::ModelDamaged { .. } => "`paperkin model fetch` gets it again; or convert it again from its original",
            Self::Device { .. } => "--device cpu always works",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The class of the exit code.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::Usage { .. } => ExitClass::Usage,
            Self::ModelNotFound { .. } => ExitClass::ModelMissing,
            Self::OtherModel { .. } => ExitClass::OtherModel,
            Self::Locked { .. } => ExitClass::Locked,
            Self::Interrupted => ExitClass::Interrupted,
            _ => ExitClass::Failure,
        }
    }

    /// A short name of the kind, for programs that read errors as JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Usage { .. } => "usage",
            Self::Unreadable { .. } => "unreadable",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::NoPapers { .. } => "no_papers",
            Self::UnknownPaper { .. } => "unknown_paper",
            Self::AmbiguousTitle { .. } => "ambiguous_title",
            Self::NoLibrary { .. } => "no_library",
            Self::Locked { .. } => "locked",
            Self::NotALibrary { .. } => "not_a_library",
            Self::LibraryFormat { .. } => "library_format",
            Self::LibraryDamaged { .. } => "library_damaged",
            Self::IndexDamaged { .. } => "index_damaged",
            Self::OtherModel { .. } => "other_model",
            Self::ModelNotFound { .. } => "model_not_found",
            Self::ModelUnsupported { .. } => "model_unsupported",
            Self::ModelDamaged { .. } => "model_damaged",
            Self::Network { .. } => "network",
            Self::Mail { .. } => "mail",
            Self::Device { .. } => "device",
            Self::Interrupted => "interrupted",
            Self::Store(_) => "store",
            Self::Encoder(_) => "encoder",
        }
    }
}

fn is_arxiv_id(text: &str) -> bool {
    let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(month, number)| is_number(month, 4..=4) && is_number(number, 4..=5))
}

fn listed(intro: &str, items: &[String]) -> String {
    if items.is_empty() { String::new() } else { format!("; {intro}:\n  {}", items.join("\n  ")) }
}

fn read_files(files: usize) -> String {
    match files {
        0 => String::new(),
        1 => " (1 file looked at)".to_owned(),
        n => format!(" ({n} files looked at)"),
    }
}

fn process(holder: &Option<String>) -> String {
    holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(", {why}") }
}
