//! `paperkin add`, and the libraries in memory that `--in` asks for.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use paperkin::ingest::{self, Embed, Input, LazyEmbedder, Options, Report};
use paperkin::library::Library;
use paperkin::source::{Column, Format};
use paperkin::{Error, ExitClass, Result, render, source};

use crate::args::{Add, From};
use crate::live::{self, Cursor};
use crate::output::{self, Bar};
use crate::settings::{Settings, day, now, today};

pub(crate) fn run(args: &Add, settings: &Settings) -> Result<ExitClass> {
    crate::catch_interrupts()?;
    let options = Options {
        source: source::Options {
            format: input_format(args.format.as_deref())?,
            day: day(args.date.as_deref())?,
            today: Some(today()),
            expected: None,
            columns: args.columns.iter().map(|column| column_of(column)).collect::<Result<_>>()?,
        },
        embed: match (args.title_only, args.no_embed) {
            (_, true) => Embed::Nothing,
            (true, _) => Embed::Titles,
            _ => Embed::Abstracts,
        },
        limit: args.limit,
        now: now(),
    };
    // An address that is not clear, or may not be asked, is told before a library is made.
    for path in &args.inputs {
        live::is_address(&path.to_string_lossy(), settings)?;
    }
    let mut embedder = settings.embedder()?;
    let mut library = settings.new_or_old_library()?;
    let report = read(&args.inputs, (&mut library, &mut embedder), &options, settings)?;
    tell(&report, settings);
    output::keep_index(&mut library, settings);
    if args.json {
        let report = serde_json::to_value(&report).map_err(|e| Error::usage(e.to_string()))?;
        output::print(&render::pretty(&report))?;
    } else {
        output::say(settings, &render::report_line(&report));
    }
    Ok(exit_class(&report))
}

/// Adds what files and addresses hold, and notes up to where addresses were read.
pub(crate) fn read(
    paths: &[PathBuf],
    (library, embedder): (&mut Library, &mut LazyEmbedder),
    options: &Options,
    settings: &Settings,
) -> Result<Report> {
    let inputs = paths.iter().map(|path| input(path, Some(library), settings)).collect::<Result<Vec<_>>>()?;
    let (inputs, cursors): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
    let before = library.len()?;
    let report = add(library, embedder, inputs, options, settings);
    if report.is_err() {
        // What was committed of an only input stays; where it began is noted, so that nothing between is missed. If that fails too, the
        // error to tell is the first.
        let _ = cursors.iter().flatten().try_for_each(|cursor| cursor.note(false, library));
    }
    let report = report.inspect_err(|error| {
        let committed = library.len().unwrap_or(before) - before;
        if committed > 0 || matches!(error, Error::Interrupted) {
            output::complain(&format!("{committed} new papers are in the library and stay; the same command goes on from there"));
        }
    })?;
    for (number, cursor) in cursors.iter().enumerate() {
        if let Some(cursor) = cursor {
            cursor.note(!report.incomplete.contains(&number), library)?;
        }
    }
    Ok(report)
}

/// Keeps papers that were fetched, as `add` does, and says what it did.
pub(crate) fn keep(inputs: Vec<Input>, settings: &Settings) -> Result<()> {
    let mut embedder = settings.embedder()?;
    let mut library = settings.new_or_old_library()?;
    let options =
        Options { source: source::Options { today: Some(today()), ..source::Options::default() }, embed: Embed::Titles, now: now(), limit: None };
    let report = add(&mut library, &mut embedder, inputs, &options, settings)?;
    tell(&report, settings);
    output::keep_index(&mut library, settings);
    output::say(settings, &render::report_line(&report));
    Ok(())
}

/// What a question is asked to.
pub(crate) struct Asked {
    pub library: Library,
    /// The one that made the vectors, where `--in` made it needed.
    pub embedder: Option<LazyEmbedder>,
    /// Partial, where a part of what `--in` names could not be read.
    pub class: ExitClass,
}

/// A library in memory of what `--in` names, or the one that is kept.
pub(crate) fn library(from: &From, embed: Embed, settings: &Settings) -> Result<Asked> {
    if from.inputs.is_empty() {
        return Ok(Asked { library: settings.library()?, embedder: None, class: ExitClass::Done });
    }
    let mut embedder = settings.embedder()?;
    let mut library = Library::in_memory()?;
    let options = Options { source: source::Options { today: Some(today()), ..source::Options::default() }, embed, ..Options::default() };
    let inputs = from.inputs.iter().map(|path| Ok(input(path, None, settings)?.0)).collect::<Result<Vec<_>>>()?;
    let report = add(&mut library, &mut embedder, inputs, &options, settings)?;
    tell(&report, settings);
    Ok(Asked { library, embedder: Some(embedder), class: exit_class(&report) })
}

fn add(library: &mut Library, embedder: &mut LazyEmbedder, inputs: Vec<Input>, options: &Options, settings: &Settings) -> Result<Report> {
    let bar = Bar::new(settings, None, "records");
    ingest::add(library, embedder, inputs, options, &mut |progress| {
        bar.set(progress.read, format!("({} embedded)", progress.embedded));
        if crate::is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn tell(report: &Report, settings: &Settings) {
    report.notes.iter().for_each(|note| output::say(settings, &format!("note: {note}")));
    for failure in &report.failures {
        let place = if failure.place.is_empty() { String::new() } else { format!("{}: ", failure.place) };
        output::complain(&format!("failed: {place}{}", failure.reason));
    }
    let untold = (report.failed + report.failed_inputs).saturating_sub(report.failures.len() as u64);
    if untold > 0 {
        output::complain(&format!("failed: {untold} more"));
    }
}

fn exit_class(report: &Report) -> ExitClass {
    match report.failed + report.failed_inputs {
        0 => ExitClass::Done,
        _ if report.papers == 0 => ExitClass::Failure,
        _ => ExitClass::Partial,
    }
}

/// What to read, and what to note when all of it was read.
fn input(path: &Path, library: Option<&Library>, settings: &Settings) -> Result<(Input, Option<Cursor>)> {
    let text = path.to_string_lossy();
    let live = if live::is_address(&text, settings)? { live::input(&text, library, settings)? } else { None };
    Ok(live.unwrap_or_else(|| match path == Path::new("-") {
        true => (Input::Stream("-".to_owned(), Box::new(std::io::stdin())), None),
        false => (Input::File(path.to_path_buf()), None),
    }))
}

/// `title=Name of a column`.
fn column_of(text: &str) -> Result<Column> {
    let (field, name) = text.split_once('=').ok_or_else(|| Error::usage(format!("{text:?} says no column; expected FIELD=COLUMN, as title=Name")))?;
    Ok(Column { field: field.trim().to_owned(), name: name.trim().to_owned() })
}

fn input_format(name: Option<&str>) -> Result<Option<Format>> {
    let Some(name) = name else { return Ok(None) };
    let found = Format::ALL.into_iter().find(|format| format.name() == name);
    let names = Format::ALL.map(Format::name).join(", ");
    found.map(Some).ok_or_else(|| Error::usage(format!("no input format {name:?}; expected one of {names}")))
}
