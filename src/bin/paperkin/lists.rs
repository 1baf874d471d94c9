//! `paperkin ls`, `show`, `rm`, `status` and `verify`.

use paperkin::ingest::Embed;
use paperkin::library::Filter;
use paperkin::{Error, ExitClass, Result, render};

use crate::add::{Asked, library};
use crate::args::{JsonOnly, Ls, Rm, Show};
use crate::output;
use crate::settings::{Settings, day};

pub(crate) fn ls(args: &Ls, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let filter = Filter {
        date: day(args.date.as_deref())?,
        since: day(args.narrow.since.as_deref())?,
        until: day(args.narrow.until.as_deref())?,
        limit: args.narrow.limit.or(settings.limit),
    };
    let Asked { library, class, .. } = library(&args.from, Embed::Nothing, settings)?;
    let papers: Vec<_> = library.list(&filter)?.into_iter().map(|listing| listing.paper).collect();
    output::print(&render::papers(&papers, format, output::width())?)?;
    Ok(class)
}

pub(crate) fn show(args: &Show, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let Asked { library, class, .. } = library(&args.from, Embed::Nothing, settings)?;
    let rows = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let papers = rows.iter().map(|&row| library.paper(row)).collect::<Result<Vec<_>>>()?;
    let text = match format {
        render::Format::Table => {
            let one = |(paper, &row)| Ok(render::paper_text(paper, &library.sources(row)?, output::width()));
            papers.iter().zip(&rows).map(one).collect::<Result<Vec<_>>>()?.join("\n")
        }
        format => render::papers(&papers, format, output::width())?,
    };
    output::print(&text)?;
    Ok(class)
}

pub(crate) fn rm(args: &Rm, settings: &Settings) -> Result<ExitClass> {
    let mut library = settings.library_to_write()?;
    let rows = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let removed = library.remove(&rows)?;
    output::keep_index(&mut library);
    output::say(settings, &format!("{removed} removed"));
    Ok(ExitClass::Done)
}

pub(crate) fn status(args: &JsonOnly, settings: &Settings) -> Result<ExitClass> {
    let status = settings.library()?.status()?;
    if args.json {
        print_json(&status)?;
    } else {
        output::print(&render::status_text(&status))?;
    }
    Ok(ExitClass::Done)
}

pub(crate) fn verify(args: &JsonOnly, settings: &Settings) -> Result<ExitClass> {
    let found = settings.library()?.verify()?;
    if args.json {
        print_json(&found)?;
    } else {
        for problem in &found.problems {
            output::print(&format!("{}\n", render::one_line(problem)))?;
        }
        let counted = format!("{} papers and {} vectors checked", found.papers, found.vectors);
        let verdict = if found.problems.is_empty() { "all is well".to_owned() } else { format!("{} problems", found.problems.len()) };
        output::print(&format!("{counted}: {verdict}\n"))?;
    }
    Ok(if found.problems.is_empty() { ExitClass::Done } else { ExitClass::Failure })
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let value = serde_json::to_value(value).map_err(|e| Error::usage(format!("cannot write JSON: {e}")))?;
    output::print(&render::pretty(&value))
}
