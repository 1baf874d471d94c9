//! `paperkin cluster`.

use std::path::Path;

use paperkin::ingest::Embed;
use paperkin::library::{Filter, Library};
use paperkin::recommend::{self, Desk};
use paperkin::render::{Map, MapPoint, MapTopic};
use paperkin::topics::{self, Member, Options, Topic, Topics};
use paperkin::{Error, ExitClass, Result, render};

use crate::add::{Asked, library};
use crate::args::Cluster;
use crate::settings::{Settings, day};
use crate::{output, question};

/// Papers nearest to a text, among which topics are looked for.
const NEAREST: usize = 500;
/// Papers of a topic that people are shown.
const SHOWN: usize = 5;

pub(crate) fn run(args: &Cluster, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let filter = Filter { date: day(args.date.as_deref())?, ..question::filter(&args.narrow, &args.keywords.keywords)? };
    let options =
        Options { granularity: args.granularity.parse()?, count: args.topics, max_leftover: share(&args.max_leftover)?, filter, among: None };
    let drawing = args.map.as_deref().map(drawing).transpose()?;
    let Asked { library, embedder, class } = library(&args.from, Embed::Titles, settings)?;
    let among = match &args.query {
        None => None,
        Some(text) => {
            let mut embedder = embedder.map_or_else(|| settings.embedder(), Ok)?;
            let asked = recommend::Options { count: NEAREST, filter: options.filter.clone(), ..recommend::Options::of_question() };
            let hits = Desk::new(&library)?.search(&question::text(text)?, embedder.get()?, &asked)?;
            Some(hits.into_iter().map(|hit| hit.row).collect())
        }
    };
    let found = topics::topics(&library, &Options { among, ..options })?;
    if found.without_vector > 0 {
        output::say(settings, &format!("note: {} without an abstract are in no topic", render::plural(found.without_vector, "paper")));
    }
    if let (Some(path), Some(drawing)) = (&args.map, drawing) {
        let text = drawing(&map(&library, &found, args.query.as_deref().unwrap_or("Papers"))?);
        std::fs::write(path, text).map_err(|e| Error::io("cannot write", path, e))?;
        output::say(settings, &format!("the map is in {}", path.display()));
    }
    let most = args.narrow.limit.unwrap_or(SHOWN);
    output::print(&render::topics(&found, &|member| library.paper(member.paper), format, most, output::width())?)?;
    Ok(class)
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
    let places = topics::places(library, &members.iter().map(|(member, _)| member.paper).collect::<Vec<_>>())?;
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
    let topic = |topic: &Topic| MapTopic { name: topic.name.clone(), keywords: topic.keywords.iter().map(|keyword| keyword.text.clone()).collect() };
    Ok(Map { title: title.to_owned(), points, topics: found.topics.iter().map(topic).collect() })
}

/// `10%` or `0.1`.
fn share(text: &str) -> Result<f32> {
    let (number, of) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f32>().ok().map(|number| number / of).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| Error::usage(format!("left-overs of {text:?}; expected a share such as 10%")))
}
