//! `paperkin recommend`.

use std::path::Path;

use paperkin::library::{Library, PaperRow, Rating};
use paperkin::recommend::Desk;
use paperkin::render::Answer;
use paperkin::{Error, ExitClass, Result};
use serde::Deserialize;

use crate::args::Recommend;
use crate::settings::Settings;
use crate::{output, question};

/// The body of `POST /recommendations/v1/papers/`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    positive_paper_ids: Option<Vec<String>>,
    negative_paper_ids: Option<Vec<String>>,
}

pub(crate) fn run(args: &Recommend, settings: &Settings) -> Result<ExitClass> {
    let format = output::format(&args.form, settings)?;
    let options = question::options(&args.narrow, &args.keywords.keywords, (&args.order, &args.strategy), &args.seen, settings)?;
    let library = settings.library()?;
    let profile = &args.seen.profile.profile;
    let (ratings, class) = match &args.from_json {
        Some(path) => of_body(path, &library)?,
        None => (library.ratings(profile)?, ExitClass::Done),
    };
    let desk = Desk::new(&library)?;
    let (query, silent) = desk.taste(&ratings)?;
    silent.iter().for_each(|reason| output::complain(&format!("note: {reason}: it says nothing here")));
    if query.likes.is_empty() {
        return Err(likes_nothing(args));
    }
    let hits = desk.answer(&query, &options)?;
    let name = args.from_json.as_ref().map_or_else(|| profile.clone(), |path| path.display().to_string());
    let heading = format!("for {name}: {}", crate::similar::heading(&query));
    question::show(&desk, Answer { query: name, hits }, &heading, (format, &args.seen), settings)?;
    Ok(class)
}

fn likes_nothing(args: &Recommend) -> Error {
    match &args.from_json {
        Some(path) => Error::usage(format!("{} names no positive paper that the library has with a vector", path.display())),
        None => Error::Usage {
            message: format!("{} likes no paper with an abstract yet", args.seen.profile.profile),
            hint: Some("`paperkin like ID` says what you like; `paperkin similar ID` asks without a profile".to_owned()),
        },
    }
}

fn of_body(path: &Path, library: &Library) -> Result<(Vec<Rating>, ExitClass)> {
    let origin = path.display().to_string();
    let text = question::read_file(path)?;
    // A list is no body, though serde would read one as the fields in their order.
    let body = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).and_then(|body| serde_json::from_value(body.into()));
    let body: Body = body.map_err(|e| Error::Unreadable {
        origin,
        what: e.to_string(),
        hint: Some(r#"expected {"positivePaperIds": ["arXiv:2211.14067"], "negativePaperIds": []}"#.to_owned()),
    })?;
    let (mut ratings, mut class) = (Vec::new(), ExitClass::Done);
    for (ids, rating) in [(body.positive_paper_ids, 1.0), (body.negative_paper_ids, -1.0)] {
        for id in ids.unwrap_or_default() {
            match find(library, &id)? {
                Some(paper) => ratings.push(Rating { paper, rating, rated: String::new() }),
                None => {
                    output::complain(&format!("failed: no paper is known as {id:?}"));
                    class = ExitClass::Partial;
                }
            }
        }
    }
    Ok((ratings, class))
}

/// `arXiv:…` and `DOI:…` are read everywhere; of Semantic Scholar's own numbers a library may know what is behind the prefix.
fn find(library: &Library, id: &str) -> Result<Option<PaperRow>> {
    const OWN: [&str; 2] = ["corpusid", "s2"];
    match (library.by_id(id)?, id.split_once(':')) {
        (None, Some((prefix, number))) if OWN.contains(&prefix.to_ascii_lowercase().as_str()) => library.by_id(number),
        (found, _) => Ok(found),
    }
}
