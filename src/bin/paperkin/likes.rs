//! `paperkin like`, `dislike`, `unlike` and `likes`.

use std::path::Path;

use paperkin::library::{Library, Rating};
use paperkin::paper::PaperId;
use paperkin::{Error, ExitClass, Result, render};
use serde::{Deserialize, Serialize};

use crate::args::{Likes, Profile, Rate, Unlike};
use crate::output;
use crate::question::{read_file, weighted};
use crate::settings::{Settings, now};

/// A rating as a line of JSON.
#[derive(Serialize, Deserialize)]
struct Line {
    id: PaperId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    rating: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rated: Option<String>,
}

/// `sign` is 1 for likes and -1 for dislikes.
pub(crate) fn rate(args: &Rate, sign: f32, settings: &Settings) -> Result<ExitClass> {
    let mut library = settings.library_to_write()?;
    let rating = |asked: &String| {
        let (paper, weight) = weighted(&library, asked)?;
        Ok(Rating { paper, rating: sign * weight, rated: now() })
    };
    let ratings = args.papers.iter().map(rating).collect::<Result<Vec<_>>>()?;
    let Profile { profile } = &args.profile;
    library.rate(profile, &ratings)?;
    tell(&library, profile, settings)?;
    Ok(ExitClass::Done)
}

pub(crate) fn unlike(args: &Unlike, settings: &Settings) -> Result<ExitClass> {
    let mut library = settings.library_to_write()?;
    let rows = args.papers.iter().map(|asked| library.find(asked)).collect::<Result<Vec<_>>>()?;
    let Profile { profile } = &args.profile;
    let forgotten = library.unrate(profile, &rows)?;
    if forgotten < rows.len() {
        output::say(settings, &format!("note: {} of these were not rated", rows.len() - forgotten));
    }
    tell(&library, profile, settings)?;
    Ok(ExitClass::Done)
}

fn tell(library: &Library, profile: &str, settings: &Settings) -> Result<()> {
    let ratings = library.ratings(profile)?;
    let liked = ratings.iter().filter(|rating| rating.rating > 0.0).count();
    output::say(settings, &format!("{profile} likes {} and dislikes {}", render::plural(liked as u64, "paper"), ratings.len() - liked));
    Ok(())
}

pub(crate) fn likes(args: &Likes, settings: &Settings) -> Result<ExitClass> {
    let Profile { profile } = &args.profile;
    if let Some(path) = &args.import {
        return import(path, profile, settings);
    }
    let library = settings.library()?;
    let line = |Rating { paper, rating, rated }| {
        let paper = library.paper(paper)?;
        Ok(Line { id: paper.id(), title: Some(paper.title), rating, rated: Some(rated) })
    };
    let mut lines = library.ratings(profile)?.into_iter().map(line).collect::<Result<Vec<Line>>>()?;
    lines.sort_by(|a, b| b.rating.total_cmp(&a.rating).then_with(|| a.rated.cmp(&b.rated)));
    if let Some(path) = &args.export {
        let text: String = lines.iter().map(|line| Ok(json(line)?.to_string() + "\n")).collect::<Result<_>>()?;
        if path == Path::new("-") {
            output::print(&text)?;
        } else {
            std::fs::write(path, text).map_err(|e| Error::io("cannot write", path, e))?;
            output::say(settings, &format!("{} written", render::plural(lines.len() as u64, "rating")));
        }
    } else if args.form.json {
        let lines = lines.iter().map(json).collect::<Result<Vec<_>>>()?;
        output::print(&render::pretty(&lines.into()))?;
    } else {
        if lines.is_empty() {
            say_who_rates(&library, profile, settings)?;
        }
        let row = |line: &Line| render::rating_line(line.rating, &line.id, line.title.as_deref().unwrap_or_default(), output::width());
        output::print(&lines.iter().map(row).collect::<String>())?;
    }
    Ok(ExitClass::Done)
}

fn say_who_rates(library: &Library, profile: &str, settings: &Settings) -> Result<()> {
    let others: Vec<String> = library.profiles()?.into_iter().map(|(name, ..)| name).collect();
    let others = if others.is_empty() { String::new() } else { format!("; profiles with ratings: {}", others.join(", ")) };
    output::say(settings, &format!("{profile} has rated nothing: `paperkin like ID` begins{others}"));
    Ok(())
}

/// Ratings of papers that the library does not have are told, and the others are taken.
fn import(path: &Path, profile: &str, settings: &Settings) -> Result<ExitClass> {
    let text = read_file(path)?;
    let mut library = settings.library_to_write()?;
    let (mut ratings, mut failed) = (Vec::new(), 0u64);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let rating = serde_json::from_str::<Line>(line).map_err(|e| e.to_string()).and_then(|Line { id, rating, rated, .. }| {
            let paper = library.by_id(&id.to_string()).map_err(|e| e.to_string())?.ok_or_else(|| format!("no paper is known as {id}"))?;
            if rating == 0.0 || !rating.is_finite() {
                Err(format!("a rating of {rating}"))
            } else {
                Ok(Rating { paper, rating, rated: rated.unwrap_or_else(now) })
            }
        });
        match rating {
            Ok(rating) => ratings.push(rating),
            Err(reason) => {
                failed += 1;
                output::complain(&format!("failed: {}:{}: {reason}", path.display(), number + 1));
            }
        }
    }
    library.rate(profile, &ratings)?;
    output::say(settings, &format!("{} taken, {failed} failed", render::plural(ratings.len() as u64, "rating")));
    tell(&library, profile, settings)?;
    Ok(match (failed, ratings.len()) {
        (0, _) => ExitClass::Done,
        (_, 0) => ExitClass::Failure,
        _ => ExitClass::Partial,
    })
}

fn json(line: &Line) -> Result<serde_json::Value> {
    // By way of text: an f32 has a shorter decimal than the f64 of the same value.
    let text = serde_json::to_string(line).map_err(|e| Error::usage(format!("cannot write JSON: {e}")))?;
    serde_json::from_str(&text).map_err(|e| Error::usage(format!("cannot write JSON: {e}")))
}
