//! `paperkin cluster`.

use std::collections::HashMap;
use std::path::Path;

use paperkin::ingest::Embed;
use paperkin::library::{Days, Filter, Library, PaperRow};
use paperkin::recommend::{self, Desk};
use paperkin::render::{Flow, Map, MapPart, MapPoint, MapTopic, TopicList};
use paperkin::topics::{self, Member, Options, Topic, Topics};
use paperkin::{Error, ExitClass, Result, render};

use crate::add::{Asked, library};
use crate::args::Cluster;
use crate::settings::{Settings, day};
use crate::{label, output, question};

/// Papers nearest to a text, among which topics are looked for.
const NEAREST: usize = 500;
/// Papers of a topic that people are shown.
const SHOWN: usize = 5;

pub(crate) fn run(args: &Cluster, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    // Here days are those of digests, unlike in a question, where they are of publication.
    let filter = question::filter(&args.narrow, &args.keywords.keywords)?;
    let days = match day(args.date.as_deref())? {
        Some(day) => Days::one(day),
        None => Days { since: filter.since, until: filter.until },
    };
    let filter = Filter { days, since: None, until: None, ..filter };
    let options =
        Options { granularity: args.granularity.parse()?, count: args.topics, max_leftover: share(&args.max_leftover)?, filter, among: None };
    let drawing = args.map.as_deref().map(drawing).transpose()?;
    check_keep(args, &options.filter)?;
    let Asked { library, embedder, class } = library(&args.from, Embed::Titles, settings)?;
    let next = library.next_topic()?;
    let mut found = match &args.query {
        None if args.by.is_none() && args.date.is_none() => vec![topics::topics(&library, &options)?],
        None => topics::by_day(&library, &options)?,
        Some(text) => {
            let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
            let asked = recommend::Options { count: NEAREST, filter: options.filter.clone(), ..recommend::Options::of_question() };
            let hits = Desk::new(&library)?.search(&question::text(text)?, embedder.get()?, &asked)?;
            let among = Some(hits.into_iter().map(|hit| hit.row).collect());
            vec![topics::topics(&library, &Options { among, filter: Filter::default(), ..options })?]
        }
    };
    let named = match &args.label_with {
        Some(command) => label::rename(command, &mut found, &|row| library.paper(row))?,
        None => true,
    };
    tell(&found, args.topics, settings);
    if args.keep {
        keep(&found, next, settings)?;
    }
    if let (Some(path), Some(drawing), [found]) = (&args.map, drawing, &found[..]) {
        let text = drawing(&map(&library, found, args.query.as_deref().unwrap_or("Papers"))?);
        std::fs::write(path, text).map_err(|e| Error::io("cannot write", path, e))?;
        output::say(settings, &format!("the map is in {}", path.display()));
    }
    let (paper, width) = (|row| library.paper(row), output::width());
    let text = match (&found[..], &args.by) {
        ([], None) => TopicList { found: &Topics::default(), paper: &paper, most: 0, width }.render(format)?,
        ([found], None) => TopicList { found, paper: &paper, most: args.narrow.limit.unwrap_or(SHOWN), width }.render(format)?,
        (days, _) => Flow { days, paper: &paper, width }.render(format)?,
    };
    output::print(&text)?;
    Ok(if named { class } else { ExitClass::Partial })
}

/// What is kept are the topics of all papers of a day.
fn check_keep(args: &Cluster, filter: &Filter) -> Result<()> {
    if !args.keep {
        return Ok(());
    }
    if args.date.is_none() && args.by.is_none() {
        return Err(Error::usage("the topics of a day are kept: give --date DAY or --by day with --keep"));
    }
    if !(Filter { days: Days::default(), ..filter.clone() }).is_open() {
        return Err(Error::usage("the topics of all papers of a day are kept: --keep goes with no other choice of papers"));
    }
    Ok(())
}

/// Keeps the topics of days, if no other process kept some since they were numbered.
fn keep(found: &[Topics], next: i64, settings: &Settings) -> Result<()> {
    let of_day = |found: &Topics| found.day.map(|day| found.topics.iter().map(|topic| topic.kept(day)).collect::<Vec<_>>());
    let kept: Vec<_> = found.iter().filter_map(of_day).flatten().collect();
    let mut library = settings.library_to_write()?;
    if library.next_topic()? != next {
        return Err(Error::usage("nothing is kept: another paperkin kept topics meanwhile; run it again"));
    }
    library.keep_topics(&kept)
}

/// What the answer itself does not say.
fn tell(found: &[Topics], wanted: Option<usize>, settings: &Settings) {
    let without: u64 = found.iter().map(|found| found.without_vector).sum();
    if without > 0 {
        output::say(settings, &format!("note: {} without an abstract are in no topic", render::plural(without, "paper")));
    }
    if let (Some(wanted), [found]) = (wanted, found) {
        if found.topics.len() != wanted {
            let topics = render::plural(found.topics.len() as u64, "topic");
            output::say(settings, &format!("note: {topics}; the papers do not allow {wanted}"));
        }
        return;
    }
    let is_one = |found: &&Topics| found.topics.len() == 1 && found.topics[0].members.len() > 1;
    match (found, found.iter().filter(is_one).count()) {
        (_, 0) => {}
        ([found], _) => {
            let papers = found.topics[0].members.len() + found.leftovers.len();
            output::say(settings, &format!("note: one topic: {papers} papers are too few, or too much alike, to be told apart"));
        }
        (_, days) => {
            output::say(settings, &format!("note: {} with one topic: too few papers, or too much alike", render::plural(days as u64, "day")))
        }
    }
}

/// How a map is drawn, as its file's name says.
fn drawing(path: &Path) -> Result<fn(&Map) -> String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => Ok(render::map_page),
        Some("svg") => Ok(render::map_svg),
        _ => Err(Error::usage(format!("{}: a map is written to FILE.html or FILE.svg", path.display()))),
    }
}

/// The map of all papers that were sorted.
fn map(library: &Library, found: &Topics, title: &str) -> Result<Map> {
    let in_topics = found.topics.iter().flat_map(|topic| &topic.members).map(|member| (member, Some(member.topic)));
    let members: Vec<(&Member, Option<usize>)> = in_topics.chain(found.leftovers.iter().map(|member| (member, None))).collect();
    let rows: Vec<PaperRow> = members.iter().map(|(member, _)| member.paper).collect();
    let places = topics::places(library, &rows)?;
    let mut points = Vec::with_capacity(members.len());
    for ((member, topic), place) in members.into_iter().zip(places) {
        let paper = library.paper(member.paper)?;
        points.push(MapPoint {
            place: place.unwrap_or_default(),
            topic,
            id: paper.id().to_string(),
            link: render::link(&paper),
            title: paper.title,
            abstract_text: paper.abstract_text,
            date: paper.published,
        });
    }
    let point_of: HashMap<PaperRow, usize> = rows.into_iter().zip(0..).collect();
    let part = |part: &Topic| {
        let points = part.members.iter().filter_map(|member| point_of.get(&member.paper).copied()).collect();
        MapPart { name: signpost(part), points }
    };
    let topic = |topic: &Topic| MapTopic {
        name: signpost(topic),
        keywords: topic.keywords.iter().map(|keyword| format!("{} {:.0} %", keyword.text, 100.0 * keyword.share)).collect(),
        parts: topic.parts.iter().map(part).collect(),
    };
    Ok(Map { title: title.to_owned(), points, topics: found.topics.iter().map(topic).collect() })
}

/// A topic's name without parentheses: on a map the shares stand beside the keywords.
fn signpost(topic: &Topic) -> String {
    let phrases: Vec<&str> = topic.keywords[..topic.in_name].iter().map(|keyword| keyword.text.as_str()).collect();
    if phrases.is_empty() { topic.name.clone() } else { phrases.join(", ") }
}

/// `10%` or `0.1`.
fn share(text: &str) -> Result<f32> {
    let (number, of) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f32>().ok().map(|number| number / of).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| Error::usage(format!("left-overs of {text:?}; expected a share such as 10%")))
}
