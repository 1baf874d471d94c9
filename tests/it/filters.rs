//! Filters are exact: whatever is asked, no paper is missed and none is let through.

use std::collections::{BTreeSet, HashMap};

use paperkin::library::{Days, Filter, Keyword, Library, PaperRow, Place, Plan, Record, Unseen, is_name};
use paperkin::paper::{Date, Paper, PaperId, title_key};
use paperkin::recommend::{Desk, Options};
use paperkin::vector::dot;
use proptest::prelude::*;

use crate::support::space;

const DIM: usize = 4;
const WORDS: [&str; 6] = ["graph", "Graphs", "proof", "market", "Überraschung", "neural"];
const NAMES: [&str; 6] = ["Erwin Schrödinger", "Schrodinger, E.", "Ann Li", "Ann Lin", "A. Li", "Jean-Luc de la Tour"];
const CATEGORIES: [&str; 5] = ["cs.LG", "cs.CL", "stat.ML", "cs", "csx.AI"];

#[derive(Debug, Clone)]
struct Made {
    record: Record,
    vector: Vec<f32>,
}

/// Words of the title and of the abstract, authors, categories.
type Texts = (Vec<String>, Vec<String>, Vec<String>, Vec<String>);

/// Published, day, votes, format.
type Facts = (Option<Date>, Option<Date>, Option<u32>, &'static str);

fn some_of(from: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(from), 0..=most).prop_map(|all| all.into_iter().map(str::to_owned).collect())
}

fn day() -> impl Strategy<Value = Option<Date>> {
    prop::option::of((1i8..=9).prop_map(|day| Date::constant(2026, 8, day)))
}

/// Mostly all days, as filters that leave nothing show nothing.
fn days() -> impl Strategy<Value = Days> {
    prop::option::weighted(0.3, (day(), day()).prop_map(|(since, until)| Days { since, until })).prop_map(Option::unwrap_or_default)
}

fn made() -> impl Strategy<Value = Vec<Made>> {
    let one = (
        (some_of(&WORDS, 2), some_of(&WORDS, 4), some_of(&NAMES, 3), some_of(&CATEGORIES, 2)),
        (day(), day(), prop::option::of(0u32..20), prop::sample::select(&["hf", "jsonl"][..])),
        prop::collection::vec(-1.0f32..1.0, DIM),
    );
    prop::collection::vec(one, 1..25).prop_map(|all| {
        let made =
            |(number, ((title, text, authors, mut categories), (published, day, upvotes, format), mut vector)): (usize, (Texts, Facts, Vec<f32>))| {
                categories.dedup();
                vector[0] += 1.5;
                paperkin::vector::normalise(&mut vector);
                let paper = Paper {
                    ids: vec![PaperId::Arxiv(format!("2608.{number:05}"))],
                    title: format!("{} n{number}", title.join(" ")),
                    abstract_text: format!("{} a{number}", text.join(", ")),
                    authors,
                    categories,
                    published,
                    day,
                    upvotes,
                    ..Paper::default()
                };
                Made { record: Record { paper, format: format.to_owned(), origin: format!("{format}.txt") }, vector }
            };
        all.into_iter().enumerate().map(made).collect()
    })
}

fn keyword() -> impl Strategy<Value = Keyword> {
    let text = prop::sample::select(&["graph", "GRAPHS", "proof market", "uberraschung", "neural graph", "absent"][..]);
    let place = prop::sample::select(&[Place::Anywhere, Place::Title, Place::Abstract][..]);
    (text, place).prop_map(|(text, place)| Keyword { text: text.to_owned(), place })
}

fn filter() -> impl Strategy<Value = Filter> {
    let who = prop::sample::select(&["schrodinger", "Ann", "li", "E Schrödinger", "Alexandra Li", "de la tour", "x"][..]);
    let category = prop::sample::select(&["cs.LG", "CS.lg", "cs", "cs.*", "stat", "math"][..]);
    let texts = |all: Vec<&'static str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let id = (0usize..30).prop_map(|number| PaperId::Arxiv(format!("2608.{number:05}")));
    (
        (days(), day(), day()),
        (prop::collection::vec(category.clone(), 0..=2), prop::collection::vec(who.clone(), 0..=2)),
        (prop::collection::vec(keyword(), 0..=2), prop::collection::vec(keyword(), 0..=2)),
        (prop::collection::vec(category, 0..=1), prop::collection::vec(who, 0..=1)),
        (prop::collection::vec(prop::sample::select(&["hf", "jsonl.txt", "oai"][..]), 0..=2), prop::option::weighted(0.3, 0u32..20)),
        (prop::collection::vec(id, 0..=2), prop::bool::weighted(0.3)),
    )
        .prop_map(
            move |(
                (days, since, until),
                (categories, authors),
                (keywords, exclude),
                (not_categories, not_authors),
                (sources, min_upvotes),
                (ids, unseen),
            )| Filter {
                days,
                since,
                until,
                categories: texts(categories),
                authors: texts(authors),
                exclude_categories: texts(not_categories),
                exclude_authors: texts(not_authors),
                keywords,
                exclude,
                sources: texts(sources),
                min_upvotes,
                ids,
                unseen: unseen.then(|| Unseen { profile: "me".to_owned(), since: Some("2026-08-05".to_owned()) }),
                limit: None,
            },
        )
}

/// Papers with an even number were seen, those divisible by four recently.
fn seen(number: usize) -> Option<&'static str> {
    match number % 4 {
        0 => Some("2026-08-08T00:00:00Z"),
        2 => Some("2026-08-01T00:00:00Z"),
        _ => None,
    }
}

/// The same question, answered by looking at one paper.
fn lets_through(filter: &Filter, number: usize, Record { paper, format, origin }: &Record) -> bool {
    let stems = |text: &str| title_key(text).split(' ').map(|word| word.trim_end_matches('s').to_owned()).collect::<Vec<_>>();
    let has = |text: &str, words: &str| stems(text).windows(stems(words).len()).any(|part| part == stems(words));
    let holds = |Keyword { text, place }: &Keyword| match place {
        Place::Title => has(&paper.title, text),
        Place::Abstract => has(&paper.abstract_text, text),
        Place::Anywhere => has(&paper.title, text) || has(&paper.abstract_text, text),
    };
    let is_in = |wanted: &String| {
        let wanted = wanted.trim_end_matches(".*").to_lowercase();
        paper
            .categories
            .iter()
            .map(|category| category.to_lowercase())
            .any(|category| category == wanted || category.starts_with(&format!("{wanted}.")))
    };
    let is_by = |name: &String| paper.authors.iter().any(|author| is_name(author, name));
    let day = paper.day.or(paper.published);
    let is_in_days = day.is_some_and(|day| filter.days.since.is_none_or(|since| since <= day) && filter.days.until.is_none_or(|until| day <= until));
    (filter.days == Days::default() || is_in_days)
        && filter.since.is_none_or(|since| paper.published.is_some_and(|day| day >= since))
        && filter.until.is_none_or(|until| paper.published.is_some_and(|day| day <= until))
        && (filter.categories.is_empty() || filter.categories.iter().any(is_in))
        && (filter.authors.is_empty() || filter.authors.iter().any(is_by))
        && !filter.exclude_categories.iter().any(is_in)
        && !filter.exclude_authors.iter().any(is_by)
        && filter.keywords.iter().all(holds)
        && !filter.exclude.iter().any(holds)
        && (filter.sources.is_empty() || filter.sources.iter().any(|source| source == format || source == origin))
        && filter.min_upvotes.is_none_or(|least| paper.upvotes.is_some_and(|votes| votes >= least))
        && (filter.ids.is_empty() || filter.ids.iter().any(|id| paper.ids.contains(id)))
        && !(filter.unseen.is_some() && seen(number).is_some_and(|when| when >= "2026-08-05"))
}

fn library(all: &[Made]) -> (Library, Vec<PaperRow>) {
    let mut library = Library::in_memory().unwrap();
    let mut rows = Vec::new();
    for (number, Made { record, vector }) in all.iter().enumerate() {
        let Plan::Vector(hash) = library.plan(record, false).unwrap() else { panic!("every text is new") };
        let done = library.commit(std::slice::from_ref(record), &HashMap::from([(hash, vector.clone())]), &space(DIM), "").unwrap();
        rows.push(done[0].0);
        seen(number).into_iter().for_each(|when| library.mark_seen("me", &[done[0].0], when).unwrap());
    }
    (library, rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_filtered_answer_misses_nothing_and_lets_nothing_through(all in made(), filter in filter(), blend in prop::sample::select(&[0.0f32, 0.6, 1.0][..]), k in 1usize..30) {
        let (library, rows) = library(&all);
        let passing: BTreeSet<PaperRow> =
            all.iter().enumerate().filter(|(number, made)| lets_through(&filter, *number, &made.record)).map(|(number, _)| rows[number]).collect();
        let found: BTreeSet<PaperRow> = library.matching(&filter).unwrap().map_or_else(|| rows.iter().copied().collect(), |found| found.into_iter().collect());
        prop_assert_eq!(&found, &passing);
        prop_assert_eq!(library.list(&filter).unwrap().len(), passing.len());

        let desk = Desk::new(&library).unwrap();
        let options = Options { count: k, filter, blend, ..Options::default() };
        let answer = desk.similar(&rows[..1], &options).unwrap();
        let vector = |row: PaperRow| library.vector(row).unwrap().unwrap();
        let seed = vector(rows[0]);
        let mut nearest: Vec<(PaperRow, f32)> = passing.iter().filter(|row| **row != rows[0]).map(|&row| (row, dot(&seed, &vector(row)))).collect();
        nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(answer.len(), k.min(nearest.len()));
        if blend == 0.0 {
            let answered: Vec<(PaperRow, f32)> = answer.iter().map(|hit| (hit.row, hit.score)).collect();
            prop_assert_eq!(answered, nearest[..k.min(nearest.len())].to_vec());
        }
        prop_assert!(answer.iter().all(|hit| passing.contains(&hit.row) && hit.row != rows[0]));
    }
}
