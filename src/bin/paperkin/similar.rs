//! `paperkin similar` and `paperkin search`.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use paperkin::ingest::{Embed, LazyEmbedder};
use paperkin::library::{Filter, Library};
use paperkin::paper::Paper;
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
    // What is kept is kept before the library is read; where nothing is, the library may be one of files.
    let kept = if args.keep { Some(fetched(args, settings.library().ok().as_ref(), settings)?) } else { None };
    let Asked { library, embedder, class } = library(&args.from, Embed::Titles, settings)?;
    let elsewhere = kept.map_or_else(|| fetched(args, Some(&library), settings), Ok)?;
    if let Some(path) = &args.queries {
        return Ok(worse(class, many(path, &library, &options, (format, settings))?));
    }
    let desk = Desk::new(&library)?;
    let known: Vec<String> = args.papers.iter().filter(|asked| !elsewhere.asked.contains(asked)).cloned().collect();
    let mut likes = question::seeds(&library, &desk, &known)?;
    likes.extend(others(args, &elsewhere.papers, (&desk, embedder), settings)?);
    // The same paper by its id and in a file is one seed.
    let mut names = HashSet::new();
    likes.retain(|seed| names.insert(seed.name.clone()));
    let query = Query { dislikes: question::seeds(&library, &desk, &args.dislikes)?, likes, ..Query::default() };
    let hits = desk.answer(&query, &options)?;
    let asked = if args.papers.is_empty() { query.likes.iter().map(|seed| seed.name.clone()).collect() } else { args.papers.clone() };
    question::show(&desk, Answer { query: asked.join(", "), hits }, &heading(&query), (format, &args.seen), settings)?;
    Ok(class)
}

/// Papers that the library lacks, and what was typed for them.
#[derive(Default)]
struct Elsewhere {
    asked: Vec<String>,
    papers: Vec<Paper>,
}

/// Fetches the papers that the library lacks and of which addresses were typed; keeps them, if that was asked for.
fn fetched(args: &Similar, library: Option<&Library>, settings: &Settings) -> Result<Elsewhere> {
    let (mut elsewhere, mut kept) = (Elsewhere::default(), Vec::new());
    if args.queries.is_some() {
        return Ok(elsewhere);
    }
    for asked in &args.papers {
        let is_known = library.is_some_and(|library| question::weighted(library, asked).is_ok());
        if is_known || !live::is_address(asked, settings)? {
            continue;
        }
        let fetched = live::fetch(asked, settings)?;
        elsewhere.asked.push(asked.clone());
        elsewhere.papers.extend(fetched.papers.iter().cloned());
        if args.keep {
            kept.push(fetched.into_input());
        } else {
            output::say(settings, &format!("note: {asked} is not in the library; --keep keeps it there"));
        }
    }
    if !kept.is_empty() {
        crate::add::keep(kept, settings)?;
    }
    Ok(elsewhere)
}

/// The seeds that are not papers of the library.
fn others(args: &Similar, elsewhere: &[Paper], (desk, embedder): (&Desk<'_>, Option<LazyEmbedder>), settings: &Settings) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    if args.text.is_empty() && args.like_file.is_empty() && elsewhere.is_empty() {
        return Ok(seeds);
    }
    let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
    if !elsewhere.is_empty() {
        seeds.extend(desk.seeds(elsewhere, embedder.get()?, 1.0)?);
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
