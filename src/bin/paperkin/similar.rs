//! `paperkin similar` and `paperkin search`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use paperkin::ingest::Embed;
use paperkin::library::{Library, PaperRow};
use paperkin::recommend::{Desk, Limits};
use paperkin::render::{self, Answer};
use paperkin::{Error, ExitClass, Result};

use crate::add::{Asked, library};
use crate::args::{Narrow, Search, Similar, Way};
use crate::output;
use crate::settings::{Settings, day};

/// Answers are written in groups of so many questions, so that memory stays bounded.
const GROUP: usize = 256;

pub(crate) fn similar(args: &Similar, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let limits = limits(&args.narrow, &args.way, settings)?;
    let Asked { library, class, .. } = library(&args.from, Embed::Titles, settings)?;
    if let Some(path) = &args.queries {
        return Ok(worse(class, many(path, &library, &limits, (format, settings))?));
    }
    let seeds = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let desk = Desk::new(&library)?;
    let hits = desk.similar(&seeds, &limits)?;
    output::mend_index(desk.damage(), settings);
    let answer = Answer { query: args.papers.join(", "), hits };
    if matches!(format, render::Format::Table) {
        output::say(settings, &heading(&library, &seeds)?);
    }
    output::print(&render::answers(&[answer], format, output::width())?)?;
    Ok(class)
}

pub(crate) fn search(args: &Search, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let limits = limits(&args.narrow, &args.way, settings)?;
    let Asked { library, embedder, class } = library(&args.from, Embed::Titles, settings)?;
    let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
    let text = args.text.join(" ");
    if text.trim().is_empty() {
        return Err(Error::usage("nothing to search for: the text is empty"));
    }
    library.require_space(embedder.space())?;
    let desk = Desk::new(&library)?;
    let hits = desk.search(&text, embedder.get()?, &limits)?;
    output::mend_index(desk.damage(), settings);
    output::print(&render::answers(&[Answer { query: text, hits }], format, output::width())?)?;
    Ok(class)
}

/// One question a line, all in one process.
fn many(path: &Path, library: &Library, limits: &Limits, (format, settings): (render::Format, &Settings)) -> Result<ExitClass> {
    let reader: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path).map_err(|e| Error::io("cannot open", path, e))?),
    };
    let desk = Desk::new(library)?;
    let (mut answers, mut failed, mut answered) = (Vec::new(), 0u64, 0u64);
    for (number, line) in BufReader::new(reader).split(b'\n').enumerate() {
        let line = line.map_err(|e| Error::io("cannot read", path, e))?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r').to_owned();
        if line.trim().is_empty() {
            continue;
        }
        match library.find(&line).and_then(|seed| desk.similar(&[seed], limits)) {
            Ok(hits) => answers.push(Answer { query: line, hits }),
            Err(error @ (Error::UnknownPaper { .. } | Error::AmbiguousTitle { .. } | Error::Usage { .. })) => {
                failed += 1;
                output::complain(&format!("failed: {}:{}: {error}", path.display(), number + 1));
            }
            Err(error) => return Err(error),
        }
        // JSON is one value, and a table's columns are those of all: both are written at the end.
        if answers.len() == GROUP && matches!(format, render::Format::Jsonl | render::Format::Tsv | render::Format::Ids) {
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

fn heading(library: &Library, seeds: &[PaperRow]) -> Result<String> {
    let titles = seeds.iter().map(|&seed| Ok(library.paper(seed)?.title)).collect::<Result<Vec<_>>>()?;
    Ok(format!("like {}", titles.join(", and ")))
}

fn limits(narrow: &Narrow, way: &Way, settings: &Settings) -> Result<Limits> {
    let default = Limits::default();
    Ok(Limits {
        count: narrow.limit.or(settings.limit).unwrap_or(default.count),
        since: day(narrow.since.as_deref())?,
        until: day(narrow.until.as_deref())?,
        search: way.search.parse()?,
    })
}
