//! `paperkin similar` and `paperkin search`.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use paperkin::ingest::{Embed, LazyEmbedder};
use paperkin::library::{Filter, Library};
use paperkin::recommend::{self, Desk, Hit, Options, Query, Seed, Typed};
use paperkin::render::{self, Answer, Format};
use paperkin::{Error, ExitClass, Result};

use crate::add::{Asked, library};
use crate::args::{From, Search, Seen, Similar};
use crate::live;
use crate::settings::Settings;
use crate::{output, question};

/// Answers are written in groups of so many questions, so that memory stays bounded.
const GROUP: usize = 256;

pub(crate) fn similar(args: &Similar, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let options = question::options(&args.narrow, &args.keywords.keywords, (&args.order, &args.strategy), &args.seen, settings)?;
    may_mark(&args.seen, &args.from)?;
    if args.papers.is_empty() && args.text.is_empty() && args.like_file.is_empty() && args.queries.is_none() {
        return Err(Error::Usage {
            message: "nothing to start from: no paper and no text that you like".to_owned(),
            hint: Some("give an id or a title, --text TEXT, --like-file FILE, or --queries FILE".to_owned()),
        });
    }
    let class = if args.keep { keep(args, settings)? } else { ExitClass::Done };
    let Asked { library, embedder, class: of_inputs } = library(&args.from, Embed::Titles, settings)?;
    let class = worse(class, of_inputs);
    if let Some(path) = &args.queries {
        return Ok(worse(class, many(path, &library, &options, (format, settings))?));
    }
    let desk = Desk::new(&library)?;
    let (unknown, known) = args.papers.iter().cloned().partition::<Vec<_>, _>(|asked| is_elsewhere(&library, asked, settings));
    let mut likes = question::seeds(&library, &desk, &known)?;
    likes.extend(others(args, &unknown, (&desk, embedder), settings)?);
    // The same paper by its id and in a file is one seed.
    let mut names = HashSet::new();
    likes.retain(|seed| names.insert(seed.name.clone()));
    let query = Query { dislikes: question::seeds(&library, &desk, &args.dislikes)?, likes, ..Query::default() };
    let hits = desk.answer(&query, &options)?;
    let asked = if args.papers.is_empty() { query.likes.iter().map(|seed| seed.name.clone()).collect() } else { args.papers.clone() };
    question::show(&desk, Answer { query: asked.join(", "), hits }, &heading(&query), (format, &args.seen), settings)?;
    Ok(class)
}

/// True if a paper is not in the library, and what was typed is an address of it.
fn is_elsewhere(library: &Library, asked: &str, settings: &Settings) -> bool {
    // What keeps an address from being asked is told when it is.
    question::weighted(library, asked).is_err() && live::is_address(asked, settings).unwrap_or(true)
}

/// Keeps the papers that are elsewhere.
fn keep(args: &Similar, settings: &Settings) -> Result<ExitClass> {
    let known = settings.library();
    let is_unknown = |asked: &&str| known.as_ref().map_or(true, |library| is_elsewhere(library, asked, settings));
    let mut unknown = Vec::new();
    for asked in args.papers.iter().map(String::as_str).filter(is_unknown) {
        if live::is_address(asked, settings)? {
            unknown.push(asked);
        }
    }
    drop(known);
    if unknown.is_empty() { Ok(ExitClass::Done) } else { crate::add::keep(&unknown, settings) }
}

/// The seeds that are not papers of the library.
fn others(args: &Similar, unknown: &[String], (desk, embedder): (&Desk<'_>, Option<LazyEmbedder>), settings: &Settings) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    if args.text.is_empty() && args.like_file.is_empty() && unknown.is_empty() {
        return Ok(seeds);
    }
    let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
    for address in unknown {
        seeds.extend(desk.seeds(&live::papers(address, settings)?, embedder.get()?, 1.0)?);
        output::say(settings, &format!("note: {address} is not in the library; --keep keeps it there"));
    }
    for text in &args.text {
        seeds.push(desk.text(&question::text(text)?, embedder.get()?, 1.0)?);
    }
    for path in &args.like_file {
        seeds.extend(desk.seeds(&question::papers(path, settings)?, embedder.get()?, 1.0)?);
    }
    Ok(seeds)
}

pub(crate) fn search(args: &Search, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let options = question::options(&args.narrow, &[], (&args.order, "auto"), &args.seen, settings)?;
    let blend = if args.keyword {
        1.0
    } else if args.semantic {
        0.0
    } else {
        args.order.blend.unwrap_or(Options::of_question().blend)
    };
    let asked = args.text.join(" ");
    let Typed { text, filter } = recommend::parse(&asked);
    let options = Options { blend, filter: both(options.filter, filter), ..options };
    if text.trim().is_empty() && options.filter.is_open() {
        return Err(Error::usage("nothing to search for: the text is empty"));
    }
    may_mark(&args.seen, &args.from)?;
    let Asked { library, embedder, class } = library(&args.from, Embed::Titles, settings)?;
    let desk = Desk::new(&library)?;
    let hits = if text.trim().is_empty() {
        desk.newest(&options)?
    } else {
        let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
        library.require_space(embedder.space())?;
        desk.search(&text, embedder.get()?, &options)?
    };
    question::show(&desk, Answer { query: asked, hits }, "", (format, &args.seen), settings)?;
    Ok(class)
}

/// What flags and prefixes ask for together.
fn both(flags: Filter, typed: Filter) -> Filter {
    let join = |mut one: Vec<String>, other: Vec<String>| {
        one.extend(other);
        one
    };
    Filter {
        categories: join(flags.categories, typed.categories),
        authors: join(flags.authors, typed.authors),
        keywords: typed.keywords,
        exclude: [flags.exclude, typed.exclude].concat(),
        exclude_categories: typed.exclude_categories,
        exclude_authors: typed.exclude_authors,
        ids: typed.ids,
        ..flags
    }
}

/// One question a line, all in one process.
fn many(path: &Path, library: &Library, options: &Options, (format, settings): (Format, &Settings)) -> Result<ExitClass> {
    let reader: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path).map_err(|e| Error::io("cannot open", path, e))?),
    };
    let desk = Desk::new(library)?;
    // These have no room for reasons.
    let without_reasons = matches!(format, Format::Tsv | Format::Ids | Format::Csv | Format::Bibtex);
    let ask = |line: &str| -> Result<Vec<Hit>> {
        let query = Query { likes: vec![desk.seed(library.find(line)?, 1.0)?], ..Query::default() };
        if without_reasons { desk.without_reasons(&query, options) } else { desk.answer(&query, options) }
    };
    let (mut answers, mut failed, mut answered) = (Vec::new(), 0u64, 0u64);
    for (number, line) in BufReader::new(reader).split(b'\n').enumerate() {
        let line = line.map_err(|e| Error::io("cannot read", path, e))?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r').to_owned();
        if line.trim().is_empty() {
            continue;
        }
        match ask(&line) {
            Ok(hits) => answers.push(Answer { query: line, hits }),
            Err(error @ (Error::UnknownPaper { .. } | Error::AmbiguousTitle { .. } | Error::Usage { .. })) => {
                failed += 1;
                output::complain(&format!("failed: {}:{}: {error}", path.display(), number + 1));
            }
            Err(error) => return Err(error),
        }
        // JSON is one value, and a table's columns are those of all: both are written at the end.
        if answers.len() == GROUP && matches!(format, Format::Jsonl | Format::Tsv | Format::Ids) {
            answered += answers.len() as u64;
            output::print(&render::answers(&std::mem::take(&mut answers), format, output::width())?)?;
        }
    }
    answered += answers.len() as u64;
    output::print(&render::answers(&answers, format, output::width())?)?;
    output::mend_index(desk.damage(), settings);
    Ok(match (failed, answered) {
        (0, _) => ExitClass::Done,
        (_, 0) => ExitClass::Failure,
        _ => ExitClass::Partial,
    })
}

/// Of a whole and a partial success, the partial one.
fn worse(a: ExitClass, b: ExitClass) -> ExitClass {
    if a == ExitClass::Done { b } else { a }
}

fn may_mark(seen: &Seen, from: &From) -> Result<()> {
    match (seen.mark_seen, from.inputs.is_empty()) {
        (true, false) => Err(Error::usage("--mark-seen needs a library that is kept; --in keeps none")),
        _ => Ok(()),
    }
}

pub(crate) fn heading(query: &Query) -> String {
    /// Seeds that are named.
    const NAMED: usize = 3;
    let named = |seeds: &[Seed]| {
        let titles = seeds.iter().take(NAMED).map(|seed| render::fit(seed.title(), 80)).collect::<Vec<_>>().join(", and ");
        let more = seeds.len().saturating_sub(NAMED);
        if more > 0 { format!("{titles}, and {more} more") } else { titles }
    };
    let unlike = if query.dislikes.is_empty() { String::new() } else { format!("; unlike {}", named(&query.dislikes)) };
    format!("like {}{unlike}", named(&query.likes))
}
