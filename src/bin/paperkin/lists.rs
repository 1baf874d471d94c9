//! `paperkin ls`, `show`, `rm`, `status` and `verify`.

use paperkin::ingest::Embed;
use paperkin::library::{Days, Filter};
use paperkin::recommend::{self, Group};
use paperkin::render::Answer;
use paperkin::render::TopicList;
use paperkin::topics::{Topic, Topics};
use paperkin::{Error, ExitClass, Result, render};

use crate::add::{Asked, library};
use crate::args::{JsonOnly, Ls, Rm, Show, Verify};
use crate::settings::{Settings, day};
use crate::{output, question};

pub(crate) fn ls(args: &Ls, settings: &Settings) -> Result<ExitClass> {
    if let Some(at_least) = args.duplicates {
        return duplicates(args, at_least, settings);
    }
    let format = output::format(&args.form, settings)?;
    let filter = Filter {
        days: day(args.date.as_deref())?.map(Days::one).unwrap_or_default(),
        limit: args.narrow.limit.or(settings.limit),
        ..question::filter(&args.narrow, &args.keywords.keywords)?
    };
    let Asked { library, class, .. } = library(&args.from, Embed::Nothing, settings)?;
    let papers: Vec<_> = library.list(&filter)?.into_iter().map(|listing| listing.paper).collect();
    output::print(&render::papers(&papers, format, output::width())?)?;
    Ok(class)
}

/// Of each group the first paper, and those that are like it.
fn duplicates(args: &Ls, at_least: f32, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let Asked { library, class, .. } = library(&args.from, Embed::Abstracts, settings)?;
    let groups = recommend::duplicates(&library, at_least)?;
    match groups.as_slice() {
        [] => output::say(settings, &format!("no two papers have a cosine of {at_least} or more")),
        // A table of one answer has no heading.
        [group] if matches!(format, render::Format::Table) => output::say(settings, &format!("like {}", group.first.title)),
        _ => {}
    }
    let limit = args.narrow.limit.or(settings.limit).unwrap_or(usize::MAX);
    let for_people = matches!(format, render::Format::Table | render::Format::Markdown | render::Format::Html);
    let answer = |Group { first, others }: Group| {
        let query = if for_people { format!("{} {}", first.id(), first.title) } else { first.id().to_string() };
        Answer { query, hits: others }
    };
    let answers: Vec<Answer> = groups.into_iter().take(limit).map(answer).collect();
    output::print(&render::answers(&answers, format, output::width())?)?;
    Ok(class)
}

pub(crate) fn show(args: &Show, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    if let Some(id) = args.topic {
        return topic(id, format, settings);
    }
    let Asked { library, class, .. } = library(&args.from, Embed::Nothing, settings)?;
    let rows = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let papers = rows.iter().map(|&row| library.paper(row)).collect::<Result<Vec<_>>>()?;
    let told = |row| if args.provenance { library.provenance(row) } else { Ok(Vec::new()) };
    let text = match format {
        render::Format::Table => {
            let one = |(paper, &row)| {
                let text = render::paper_text(paper, &library.sources(row)?, output::width());
                Ok(if args.provenance { format!("{text}\n{}", render::provenance_text(&told(row)?)) } else { text })
            };
            papers.iter().zip(&rows).map(one).collect::<Result<Vec<_>>>()?.join("\n")
        }
        render::Format::Json | render::Format::Jsonl if args.provenance => {
            let records = papers.iter().zip(&rows).map(|(paper, &row)| Ok(render::provenance_json(paper, &told(row)?)));
            let records = records.collect::<Result<Vec<_>>>()?;
            match format {
                render::Format::Json => render::pretty(&records.into()),
                _ => records.iter().map(|record| format!("{record}\n")).collect(),
            }
        }
        _ if args.provenance => return Err(Error::usage("--provenance is for a table, json or jsonl")),
        format => render::papers(&papers, format, output::width())?,
    };
    output::print(&text)?;
    Ok(class)
}

/// A topic that was kept, with its days, and the papers of the last of them.
fn topic(id: i64, format: render::Format, settings: &Settings) -> Result<ExitClass> {
    let library = settings.library()?;
    let days = library.kept_topic(id)?;
    let Some(last) = days.last() else {
        return Err(Error::Usage {
            message: format!("no topic {id} is kept"),
            hint: Some("`paperkin cluster --date DAY --keep` keeps the topics of a day, and prints their numbers".to_owned()),
        });
    };
    let before = days.iter().rev().nth(1);
    let found = Topics { topics: vec![Topic::of_kept(last, before)], is_compared: before.is_some(), ..Topics::default() };
    let list = TopicList { found: &found, paper: &|row| library.paper(row), most: usize::MAX, width: output::width() };
    output::print(&render::topic_over_days(&days, &list, format)?)?;
    Ok(ExitClass::Done)
}

pub(crate) fn rm(args: &Rm, settings: &Settings) -> Result<ExitClass> {
    let mut library = settings.library_to_write()?;
    let rows = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let removed = library.remove(&rows)?;
    output::keep_index(&mut library, settings);
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

pub(crate) fn verify(args: &Verify, settings: &Settings) -> Result<ExitClass> {
    /// Papers whose nearest are asked for.
    const QUESTIONS: usize = 200;
    let library = settings.library()?;
    let found = library.verify()?;
    // Of what is damaged nothing more is asked.
    let recall = if args.recall && found.problems.is_empty() { Some(library.recall(QUESTIONS)?) } else { None };
    if args.form.json {
        print_json(&serde_json::json!({ "papers": found.papers, "vectors": found.vectors, "problems": found.problems, "recall": recall }))?;
    } else {
        for problem in &found.problems {
            output::print(&format!("{}\n", render::one_line(problem)))?;
        }
        let counted = format!("{} papers and {} vectors checked", found.papers, found.vectors);
        let verdict = if found.problems.is_empty() { "all is well".to_owned() } else { format!("{} problems", found.problems.len()) };
        output::print(&format!("{counted}: {verdict}\n"))?;
        if let Some(recall) = recall {
            output::print(&render::recall_line(&recall))?;
        }
    }
    Ok(if found.problems.is_empty() { ExitClass::Done } else { ExitClass::Failure })
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let value = serde_json::to_value(value).map_err(|e| Error::usage(format!("cannot write JSON: {e}")))?;
    output::print(&render::pretty(&value))
}
