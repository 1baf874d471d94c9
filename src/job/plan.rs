//! A job's file: what is done, and in which order. What is wrong in it is told with line and column.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use crate::deliver::Mail;
use crate::digest::{Seen, Sort, Wishes};
use crate::error::{Error, Result};
use crate::library::{Days, Library, PROFILE};
use crate::paper::Date;
use crate::render::{DigestForm, Exchange};

/// A night's work.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// The library, if the file names one.
    pub library: Option<PathBuf>,
    /// The model, if the file names one.
    pub model: Option<String>,
    /// How mail leaves, if the file says it.
    pub mail: Option<Mail>,
    /// Where the report goes; `{date}` stands for the day.
    pub report: Option<String>,
    /// How often a step is tried again after a fault that may pass.
    pub retries: u32,
    /// Before the first of these times; twice as long before each further one.
    pub retry_after: Duration,
    /// What is done.
    pub steps: Vec<Step>,
    /// Identifies the file and its text: another of either is another plan.
    pub fingerprint: String,
}

/// A part of a night's work. Each can be done again without harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read a source.
    Add(Source),
    /// Keep the topics of the last days.
    Topics,
    /// Write a digest to files.
    Digest(Box<Page>),
    /// Mail what subscriptions are due.
    Deliver,
    /// Write all papers to a file.
    Export(Table),
}

/// A source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// An address, or a file or directory.
    pub from: String,
    /// Read at most so many records.
    pub limit: Option<u64>,
    /// Embed papers without an abstract by their title.
    pub title_only: bool,
    /// True for an address, which a server answers.
    pub is_live: bool,
}

/// A digest in files.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Whose likes.
    pub profile: String,
    /// Of how many days, the last of which is the last one with papers.
    pub days: u32,
    /// Which papers.
    pub wishes: Wishes,
    /// The files, and their forms.
    pub to: Vec<(PathBuf, DigestForm)>,
}

/// All papers in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The file; its name says the form.
    pub to: PathBuf,
    /// The vectors beside it.
    pub vectors: Option<PathBuf>,
}

impl Step {
    /// What it is called in reports and logs.
    pub fn name(&self) -> String {
        match self {
            Self::Add(source) => format!("add {}", source.from),
            Self::Topics => "topics".to_owned(),
            Self::Digest(page) => format!("digest {}", page.to.iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>().join(", ")),
            Self::Deliver => "deliver".to_owned(),
            Self::Export(table) => format!("export {}", table.to.display()),
        }
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    library: Option<PathBuf>,
    model: Option<String>,
    #[serde(default)]
    sources: Vec<Spanned<String>>,
    limit: Option<u64>,
    #[serde(default)]
    title_only: bool,
    #[serde(default = "yes")]
    topics: bool,
    #[serde(default)]
    deliver: bool,
    report: Option<String>,
    retries: Option<u32>,
    retry_after: Option<Spanned<f64>>,
    mail: Option<Spanned<Mail>>,
    #[serde(default, rename = "digest")]
    digests: Vec<DigestTable>,
    #[serde(default, rename = "export")]
    exports: Vec<ExportTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestTable {
    to: Spanned<Vec<PathBuf>>,
    profile: Option<String>,
    days: Option<Spanned<u32>>,
    papers: Option<usize>,
    #[serde(default)]
    sort: Sort,
    seen: Option<Seen>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    min_upvotes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportTable {
    to: Spanned<PathBuf>,
    vectors: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

/// Where in a file's text something is wrong.
struct Place<'f> {
    text: &'f str,
    path: &'f Path,
}

impl Place<'_> {
    fn wrong(&self, at: usize, what: &str) -> Error {
        let hint = "`paperkin run --init JOB.toml` writes a file with every setting and what it means".to_owned();
        match Error::in_file(self.path, self.text, at, what) {
            Error::Usage { message, .. } => Error::Usage { message, hint: Some(hint) },
            other => other,
        }
    }
}

impl Plan {
    /// Reads a job's file; what its paths name is beside it. `is_live` tells whether a source is an address, and fails for one
    /// that cannot be right.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] with line and column.
    pub fn parse(text: &str, path: &Path, is_live: &dyn Fn(&str) -> Result<bool>) -> Result<Self> {
        let place = Place { text, path };
        let file: File = toml::from_str(text).map_err(|e| place.wrong(e.span().map_or(0, |span| span.start), e.message()))?;
        let beside = path.parent().unwrap_or(Path::new(""));
        let mut steps = Vec::new();
        for source in &file.sources {
            let from = source.get_ref();
            let wrong = |what: &str| place.wrong(source.span().start, what);
            let is_live = is_live(from).map_err(|e| wrong(&e.to_string()))?;
            if from.trim().is_empty() || from == "-" {
                return Err(wrong("a source is an address, a file or a directory; a job has no standard input"));
            }
            steps.push(Step::Add(Source { from: from.clone(), limit: file.limit, title_only: file.title_only, is_live }));
        }
        steps.extend(file.topics.then_some(Step::Topics));
        for table in file.digests {
            steps.push(Step::Digest(Box::new(page(table, &place, beside)?)));
        }
        steps.extend(file.deliver.then_some(Step::Deliver));
        for table in file.exports {
            let (at, to) = (table.to.span().start, table.to.into_inner());
            if table.vectors.as_ref() == Some(&to) {
                return Err(place.wrong(at, "the papers and the vectors need two files"));
            }
            let form = to.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            if !["bib", "parquet"].contains(&form.as_str()) && form.parse::<Exchange>().is_err() {
                return Err(place.wrong(at, &format!("{}: expected a name that ends in .jsonl, .csv, .bib, .ris or .parquet", to.display())));
            }
            if !cfg!(feature = "parquet") && to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
                return Err(place.wrong(at, "this paperkin was built without what writes Parquet"));
            }
            steps.push(Step::Export(Table { to: beside.join(to), vectors: table.vectors.map(|path| beside.join(path)) }));
        }
        if let Some(mail) = &file.mail {
            mail.get_ref().check().map_err(|e| place.wrong(mail.span().start, &e.to_string()))?;
        }
        let retry_after = match &file.retry_after {
            Some(seconds) => {
                Duration::try_from_secs_f64(*seconds.get_ref()).map_err(|_| place.wrong(seconds.span().start, "expected a number of seconds"))?
            }
            None => Duration::from_secs(30),
        };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            name: file.name.unwrap_or(stem),
            library: file.library.map(|library| beside.join(library)),
            model: file.model,
            mail: file.mail.map(|mail| mail.into_inner().beside(beside)),
            report: file.report.map(|report| beside.join(report).to_string_lossy().into_owned()),
            retries: file.retries.unwrap_or(2),
            retry_after,
            steps,
            fingerprint: Sha256::digest(format!("{} {text}", super::absolute(path)).as_bytes())
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
    }
}

impl Page {
    /// The days that it tells of, as far as the library has papers up to today.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub fn period(&self, library: &Library, today: Date) -> Result<Days> {
        Ok(Days::up_to(library.last_day(today)?.unwrap_or(today), self.days as i32))
    }
}

fn page(table: DigestTable, place: &Place<'_>, beside: &Path) -> Result<Page> {
    let at = table.to.span().start;
    let form = |path: &PathBuf| {
        let form = DigestForm::of_file(path);
        let wrong = || place.wrong(at, &format!("{}: expected a name that ends in .html, .md, .json, .xml, .atom or .txt", path.display()));
        Ok((beside.join(path), form.ok_or_else(wrong)?))
    };
    let to = table.to.get_ref().iter().map(form).collect::<Result<Vec<_>>>()?;
    if to.is_empty() {
        return Err(place.wrong(at, "a digest that goes nowhere; expected files"));
    }
    let days = match &table.days {
        Some(days) if !(1..=366).contains(days.get_ref()) => return Err(place.wrong(days.span().start, "expected a number of days from 1 to 366")),
        days => days.as_ref().map_or(1, |days| *days.get_ref()),
    };
    let wishes = Wishes {
        categories: table.categories,
        authors: table.authors,
        keywords: table.keywords,
        exclude: table.exclude,
        sources: table.sources,
        min_upvotes: table.min_upvotes,
        papers: table.papers.unwrap_or(Wishes::default().papers),
        sort: table.sort,
        // A page stays the same when its papers were mailed.
        seen: table.seen.unwrap_or(Seen::Mark),
        ..Wishes::default()
    };
    // A word that cannot be looked for is told now, and not at night.
    Library::in_memory()?.matching(&wishes.filter()).map_err(|e| place.wrong(at, &e.to_string()))?;
    Ok(Page { profile: table.profile.unwrap_or_else(|| PROFILE.to_owned()), days, wishes, to })
}

/// A path in which `{date}` is the day.
pub fn dated(path: &str, day: Date) -> PathBuf {
    PathBuf::from(path.replace("{date}", &day.to_string()))
}

/// A file to begin with.
pub const EXAMPLE: &str = r#"# A night's work of paperkin. `paperkin run --check FILE` looks whether this is right, `paperkin run --dry-run FILE` tells what
# would be done, `paperkin run FILE` does it, and `paperkin run --install FILE` does it every day.
# Paths are beside this file. Every step may be done again: a run that was cut off is gone on with.

name = "nightly"
# library = "library"              # else --library, PAPERKIN_LIBRARY, paperkin.toml, or the platform's place
# model = "built-in"

# What is read: all that `paperkin add` reads, addresses, files and directories.
sources = ["hf:yesterday", "hf:today"]
# limit = 5000                     # read at most so many records of each
# title_only = true                # embed papers without an abstract by their title

# deliver = true                   # mail to whoever `paperkin subscribe ADDRESS` subscribed; needs [mail], below or in paperkin.toml
# report = "reports/{date}.json"   # also the report as a file
# retries = 2                      # how often a step is tried again after a fault that may pass,
# retry_after = 30                 # after so many seconds, and then twice as many, give or take by chance

topics = true                      # keep the topics of each day, so that later days go on with them

# Digests as files; the ending says the form: .html, .md, .json, .xml (Atom), .txt. {date} is the day of the run.
[[digest]]
to = ["site/index.html", "site/{date}.html"]
profile = "default"                # whose likes
# days = 1                         # of the last day with papers; 7 for a week up to it
# papers = 30                      # shown; the others are counted
# sort = "likeness"                # or "trending", "published"
# seen = "mark"                    # or "hide", to leave out what the profile has seen
# categories = ["cs.LG"]           # also authors, keywords, exclude, sources, min_upvotes

# A feed holds some days, so that who reads it but once a week misses nothing.
[[digest]]
to = ["site/feed.xml"]
days = 7
papers = 100

# Papers for other programs.
# [[export]]
# to = "papers.jsonl"
# vectors = "vectors.npy"

# [mail]
# from = "paperkin <you@example.org>"
# server = "mail.example.org"      # or sendmail = "/usr/sbin/sendmail", or directory = "outbox"
# security = "starttls"            # or "tls"; "none" is for a server on this machine
# user = "you@example.org"
# password_file = "mail.password"  # or password_command = "pass show mail"
# ca_file = "ca.pem"               # the authority of a server that no public one vouches for
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Plan> {
        Plan::parse(text, Path::new("jobs/night.toml"), &|source| if source == "hf:never" { Err(Error::usage("no such day")) } else { Ok(true) })
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            ("sourcs = []", "1:1: unknown field `sourcs`"),
            ("topics = 1", "1:10: invalid type"),
            ("sources = [\n  \"hf:today\",\n  \"hf:never\",\n]", "3:3: no such day"),
            ("sources = [\"-\"]", "1:12: a source is an address"),
            ("[[digest]]\nto = [\"a.pdf\"]", "2:6: a.pdf: expected a name"),
            ("[[digest]]\nto = []", "2:6: a digest that goes nowhere"),
            ("[[digest]]\nto = [\"a.md\"]\nsort = \"best\"", "3:8: unknown variant `best`"),
            ("[[digest]]\nto = [\"a.md\"]\ndays = 0", "3:8: expected a number of days"),
            ("[[digest]]\nprofile = \"x\"", "1:1: missing field `to`"),
            ("[[digest]]\nto = [\"a.md\"]\nkeywords = [\"!\"]", "2:6: \"!\" is no keyword"),
            ("[[export]]\nto = \"a.doc\"", "2:6: a.doc: expected a name"),
            ("[[export]]\nto = \"a.csv\"\nvectors = \"a.csv\"", "2:6: the papers and the vectors need two files"),
            ("[mail]\nfrom = \"a@b.org\"\nserver = \"https://x\"", "1:1: no mail server"),
            ("[mail]\nfrom = \"a@b.org\"\nserver = \"::1\"", "1:1: no mail server"),
            ("[mail]\nfrom = \"a@b.org\"\nserver = \"x:99999\"", "1:1: no mail server"),
            ("retry_after = -1.0", "1:15: expected a number of seconds"),
            ("name = \"x", "1:10: "),
            ("[mail]\nfrom = \"a@b.org\"", "1:1: nothing says how mail leaves"),
            ("[mail]\nfrom = \"nobody\"\nserver = \"x\"", "1:1: mail.from: no address"),
            ("[mail]\nfrom = \"a@b.org\"\nserver = \"x\"\nuser = \"u\"", "1:1: a login needs a user and a password"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("jobs/night.toml:") && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_example_is_a_plan_also_without_its_comments() {
        let plan = parse(EXAMPLE).unwrap();
        assert_eq!(plan.steps.len(), 5);
        assert_eq!(plan.steps[0].name(), "add hf:yesterday");
        let Step::Digest(page) = &plan.steps[3] else { panic!("{:?}", plan.steps) };
        assert_eq!(page.to[0], (PathBuf::from("jobs/site/index.html"), DigestForm::Html));
        // Every setting in it is one.
        let all: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ") || line.starts_with('[')).unwrap_or(line))
            .fold(String::new(), |all, line| all + line + "\n");
        let plan = parse(&all).unwrap();
        assert!(plan.mail.is_some_and(|mail| mail.password_file == Some(PathBuf::from("jobs/mail.password"))), "{all}");
        assert_eq!(dated("site/{date}.html", Date::constant(2026, 8, 11)), PathBuf::from("site/2026-08-11.html"));
    }
}
