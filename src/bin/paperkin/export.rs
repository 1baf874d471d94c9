//! `paperkin export`: papers in forms that `add` reads back, and the vectors for other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use paperkin::library::{Filter, Library};
use paperkin::render::{self, Exchange};
#[cfg(feature = "parquet")]
use paperkin::vector::RowId;
use paperkin::{Error, ExitClass, Result};

use crate::args::Export;
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(args: &Export, settings: &Settings) -> Result<ExitClass> {
    if args.output.is_some() && args.output == args.vectors {
        return Err(Error::usage("the papers and the vectors need two files"));
    }
    write(args, &settings.library()?, settings)
}

/// The same for an open library.
pub(crate) fn write(args: &Export, library: &Library, settings: &Settings) -> Result<ExitClass> {
    if is_parquet(args) {
        let path = args.output.as_deref().ok_or_else(|| Error::usage("a Parquet file needs a name: give --output FILE"))?;
        let count = into_file(path, |out| parquet(library, out))?;
        output::say(settings, &format!("{count} papers with their vectors written to {}", path.display()));
        return Ok(ExitClass::Done);
    }
    let form = form(args)?;
    match &args.output {
        Some(path) => {
            let count = into_file(path, |out| papers(library, form, out, path))?;
            output::say(settings, &format!("{count} papers written to {}", path.display()));
        }
        None => {
            papers(library, form, &mut BufWriter::new(std::io::stdout().lock()), Path::new("standard output"))?;
        }
    }
    if let Some(path) = &args.vectors {
        let count = vectors(library, path)?;
        output::say(settings, &format!("{count} vectors written to {}", path.display()));
    }
    Ok(ExitClass::Done)
}

fn is_parquet(args: &Export) -> bool {
    let extension = || args.output.as_deref().and_then(Path::extension).is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    args.format.as_ref().map_or_else(extension, |name| name == "parquet")
}

/// Papers with their vectors.
#[cfg(feature = "parquet")]
fn parquet(library: &Library, out: &mut (dyn Write + Send)) -> Result<u64> {
    let stored = library.vectors()?;
    let places: std::collections::HashMap<_, _> = stored.papers.iter().zip(0u32..).map(|(&row, place)| (row, RowId(place))).collect();
    let dim = (!stored.papers.is_empty()).then(|| stored.vectors.dim());
    let (mut writer, mut count) = (render::ParquetWriter::new(out, dim)?, 0);
    library.for_each(&Filter::default(), |listing| {
        count += 1;
        writer.write(&listing.paper, places.get(&listing.row).map(|place| stored.vectors.row(*place)))
    })?;
    writer.finish()?;
    Ok(count)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Library, _: &mut (dyn Write + Send)) -> Result<u64> {
    Err(Error::Usage {
        message: "this paperkin was built without what writes Parquet".to_owned(),
        hint: Some("`cargo install --path . --features parquet` makes one that writes it".to_owned()),
    })
}

/// The form that was asked for, else that of the file's name, else JSON lines.
fn form(args: &Export) -> Result<Exchange> {
    let extension = args.output.as_deref().and_then(Path::extension).map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match (&args.format, extension.as_deref()) {
        (Some(name), _) => {
            let known = Exchange::NAMES.join(", ");
            name.parse().map_err(|_| Error::usage(format!("no format {name:?}; expected one of {known}, parquet")))
        }
        (None, Some("bib")) => Ok(Exchange::Bibtex),
        (None, Some(name)) => Ok(name.parse().unwrap_or(Exchange::Jsonl)),
        (None, None) => Ok(Exchange::Jsonl),
    }
}

fn papers(library: &Library, form: Exchange, out: &mut dyn Write, path: &Path) -> Result<u64> {
    let io = |e| Error::io("cannot write to", path, e);
    let mut count = 0;
    out.write_all(form.header().as_bytes()).map_err(io)?;
    library.for_each(&Filter::default(), |listing| {
        count += 1;
        out.write_all(form.record(&listing.paper).as_bytes()).map_err(io)
    })?;
    out.flush().map_err(io)?;
    Ok(count)
}

/// The vectors in NumPy's format, version 1.0 (numpy.lib.format), and the ids of the rows, one a line.
fn vectors(library: &Library, path: &Path) -> Result<usize> {
    let stored = library.vectors()?;
    let io = |e| Error::io("cannot write to", path, e);
    into_file(path, |out| {
        let shape = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", stored.vectors.len(), stored.vectors.dim());
        // Magic, version, length and header together are a multiple of 64 bytes and end with a line break.
        let padding = (64 - (10 + shape.len() + 1) % 64) % 64;
        let header = format!("{shape}{}\n", " ".repeat(padding));
        out.write_all(b"\x93NUMPY\x01\x00").map_err(io)?;
        out.write_all(&(header.len() as u16).to_le_bytes()).map_err(io)?;
        out.write_all(header.as_bytes()).map_err(io)?;
        stored.vectors.as_slice().iter().try_for_each(|x| out.write_all(&x.to_le_bytes())).map_err(io)
    })?;
    let ids = path.with_extension("ids.txt");
    into_file(&ids, |out| {
        for &row in &stored.papers {
            writeln!(out, "{}", render::one_line(&library.paper(row)?.id().to_string())).map_err(|e| Error::io("cannot write to", &ids, e))?;
        }
        Ok(())
    })?;
    Ok(stored.papers.len())
}

/// Writes beside the file and renames, so that a file of this name is always whole. What is no file, such as
/// `/dev/stdout`, is written as it is.
pub(crate) fn into_file<T>(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T>) -> Result<T> {
    let io = |action| move |e| Error::io(action, path, e);
    if path.exists() && !path.is_file() {
        return write(&mut File::options().write(true).open(path).map_err(io("cannot write"))?);
    }
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} is no file name", path.display())))?;
    let part = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let whole = || {
        // One of a process that was killed, and had this number.
        let _ = std::fs::remove_file(&part);
        let mut out = BufWriter::new(File::create_new(&part).map_err(io("cannot write"))?);
        let done = write(&mut out)?;
        let file = out.into_inner().map_err(|e| Error::io("cannot write", path, e.into_error()))?;
        file.sync_all().map_err(io("cannot write"))?;
        std::fs::rename(&part, path).map_err(io("cannot rename to"))?;
        Ok(done)
    };
    whole().inspect_err(|_| {
        // It may not be there; the error to tell is the first.
        let _ = std::fs::remove_file(&part);
    })
}
