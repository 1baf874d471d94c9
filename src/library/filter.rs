//! Which papers a list or an answer may hold. A filter is exact: SQL decides on every paper, and nothing is sampled.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{Library, PaperRow};
use crate::error::{Error, Result};
use crate::paper::{Date, PaperId, days_before, title_key};

/// Which papers. Every part that is given must hold; of several categories, authors, sources or ids, one must.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Those that stood in the digest of one of these days, else were published on it.
    pub days: Days,
    /// Published on this day or later.
    pub since: Option<Date>,
    /// Published on this day or earlier.
    pub until: Option<Date>,
    /// In one of these categories: `cs.LG`, or an archive with all its categories, such as `cs`.
    pub categories: Vec<String>,
    /// By one of these authors; see [`is_name`].
    pub authors: Vec<String>,
    /// In none of these categories.
    pub exclude_categories: Vec<String>,
    /// By none of these authors.
    pub exclude_authors: Vec<String>,
    /// All of these stand in the text.
    pub keywords: Vec<Keyword>,
    /// None of these stands in it.
    pub exclude: Vec<Keyword>,
    /// Told of by one of these formats or origins, such as `hf` or a file's name.
    pub sources: Vec<String>,
    /// With at least so many votes.
    pub min_upvotes: Option<u32>,
    /// One of these ids.
    pub ids: Vec<PaperId>,
    /// Not seen.
    pub unseen: Option<Unseen>,
    /// At most so many, of a list; an answer has a count of its own.
    pub limit: Option<usize>,
}

/// A stretch of days; by default, all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// From this one on.
    pub since: Option<Date>,
    /// Up to this one.
    pub until: Option<Date>,
}

impl Days {
    /// One day.
    pub fn one(day: Date) -> Self {
        Self { since: Some(day), until: Some(day) }
    }

    /// So many days, of which this is the last.
    pub fn up_to(until: Date, days: i32) -> Self {
        Self { since: Some(days_before(until, days - 1)), until: Some(until) }
    }

    /// The day, if it is one.
    pub fn as_one(self) -> Option<Date> {
        self.since.filter(|_| self.since == self.until)
    }

    /// As texts between which the days lie.
    pub(super) fn bounds(self) -> [String; 2] {
        let text = |day: Option<Date>, open: &str| day.map_or_else(|| open.to_owned(), |day| day.to_string());
        [text(self.since, ""), text(self.until, "~")]
    }
}

/// Words that follow each other in a title or an abstract; of each, only the stem counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// One word, or several.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// Where a keyword stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum Place {
    #[default]
    Anywhere,
    Title,
    Abstract,
}

/// Papers that were not marked as seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// By whom.
    pub profile: String,
    /// What was seen before this time, as [`Library::mark_seen`] writes it, counts as not seen; `None`: nothing does.
    pub since: Option<String>,
}

/// A condition on a row of `papers p`, and the values of its parameters.
#[derive(Default)]
struct Condition {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    /// `sql` has `?` where a value goes.
    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql.to_owned());
        self.values.extend(values);
    }

    /// One of several, each with the same SQL.
    fn and_any(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        let per_condition = sql.matches('?').count();
        let before = self.values.len();
        self.values.extend(values);
        let count = (self.values.len() - before) / per_condition;
        if count > 0 {
            self.sql.push(format!("({})", vec![sql; count].join(" OR ")));
        }
    }
}

impl Filter {
    /// True if it lets all papers through.
    pub fn is_open(&self) -> bool {
        *self == Self { limit: self.limit, ..Self::default() }
    }

    fn condition(&self) -> Result<Condition> {
        let text = |text: &dyn ToString| Value::Text(text.to_string());
        let mut all = Condition::default();
        if self.days != Days::default() {
            let sql = "(coalesce(p.day, p.published) BETWEEN ? AND ?
                OR EXISTS (SELECT 1 FROM sources s WHERE s.row = p.row AND s.day BETWEEN ? AND ?))";
            let bounds = self.days.bounds();
            all.and(sql, bounds.iter().chain(&bounds).map(|day| text(day)));
        }
        self.since.iter().for_each(|day| all.and("p.published >= ?", [text(day)]));
        self.until.iter().for_each(|day| all.and("p.published <= ?", [text(day)]));
        self.min_upvotes.iter().for_each(|&votes| all.and("p.upvotes >= ?", [Value::Integer(votes.into())]));
        all.and_any(IN_CATEGORY, self.categories.iter().flat_map(|name| patterns(name)));
        self.exclude_categories.iter().for_each(|name| all.and(&format!("NOT ({IN_CATEGORY})"), patterns(name)));
        all.and_any("p.row IN (SELECT i.row FROM ids i WHERE i.id = ?)", self.ids.iter().map(|id| text(id)));
        let sources = self.sources.iter().flat_map(|source| [text(source), text(source)]);
        all.and_any("EXISTS (SELECT 1 FROM sources s WHERE s.row = p.row AND (s.format = ? OR s.origin = ?))", sources);
        for keyword in &self.keywords {
            all.and(&format!("p.row IN ({MATCHING})"), [Value::Text(keyword.expression()?)]);
        }
        for keyword in &self.exclude {
            all.and(&format!("p.row NOT IN ({MATCHING})"), [Value::Text(keyword.expression()?)]);
        }
        if let Some(Unseen { profile, since }) = &self.unseen {
            let sql = "NOT EXISTS (SELECT 1 FROM seen w WHERE w.profile = ? AND w.row = p.row AND w.seen >= ?)";
            all.and(sql, [text(profile), Value::Text(since.clone().unwrap_or_default())]);
        }
        // Last, as it costs the most.
        all.and_any("has_author(p.authors, ?)", self.authors.iter().map(|name| text(name)));
        self.exclude_authors.iter().for_each(|name| all.and("NOT has_author(p.authors, ?)", [text(name)]));
        Ok(all)
    }
}

/// A category stands in the list between quotes; one of an archive begins with the archive and a dot. LIKE knows no case.
const IN_CATEGORY: &str = "p.categories LIKE ? ESCAPE '\\' OR p.categories LIKE ? ESCAPE '\\'";

/// What the two are asked for.
fn patterns(category: &str) -> [Value; 2] {
    let name = category.trim().trim_end_matches(".*").replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('"', "");
    [format!("%\"{name}\"%"), format!("%\"{name}.%")].map(Value::Text)
}

const MATCHING: &str = "SELECT t.rowid FROM papers_text t WHERE t.papers_text MATCH ?";

impl Keyword {
    /// As the text index is asked for it.
    pub(super) fn expression(&self) -> Result<String> {
        if !self.text.contains(char::is_alphanumeric) {
            return Err(Error::usage(format!("{:?} is no keyword: it has no letter and no digit", self.text)));
        }
        let phrase = quoted(&self.text);
        Ok(match self.place {
            Place::Anywhere => phrase,
            Place::Title => format!("title : {phrase}"),
            Place::Abstract => format!("abstract : {phrase}"),
        })
    }
}

/// A phrase, of which nothing is an operator of the text index.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', " ").replace('\0', " "))
}

impl Library {
    /// The papers that a filter lets through, ascending; `None` if all. Its limit is not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a keyword without a letter, and [`Error::Store`].
    pub fn matching(&self, filter: &Filter) -> Result<Option<Vec<PaperRow>>> {
        if filter.is_open() {
            return Ok(None);
        }
        // In no order, SQLite reads a small index in place of the table.
        let mut rows = self.rows_where(filter, "")?;
        rows.sort_unstable();
        Ok(Some(rows))
    }

    /// The papers that a filter lets through, in the order in which they came, as many as it has a limit for.
    ///
    /// # Errors
    ///
    /// As [`Library::matching`].
    pub fn rows_of(&self, filter: &Filter) -> Result<Vec<PaperRow>> {
        let mut rows = match self.matching(filter)? {
            Some(rows) => rows,
            None => self.rows("SELECT row FROM papers ORDER BY row", [])?,
        };
        rows.truncate(filter.limit.unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// The papers that a filter lets through, the newest first, as many as it has a limit for.
    ///
    /// # Errors
    ///
    /// As [`Library::matching`].
    pub fn newest(&self, filter: &Filter) -> Result<Vec<PaperRow>> {
        let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows_where(filter, &format!("ORDER BY coalesce(p.published, p.day) DESC, p.row LIMIT {limit}"))
    }

    /// Those whose text holds one of these words, the best by BM25 first; a word of the title counts twice.
    ///
    /// # Errors
    ///
    /// As [`Library::matching`].
    pub(crate) fn with_any_word(&self, words: &[String], filter: &Filter, count: usize) -> Result<Vec<PaperRow>> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let expression = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" OR ");
        let (condition, values) = self.where_clause(filter)?;
        let sql = format!(
            "SELECT p.row FROM papers_text JOIN papers p ON p.row = papers_text.rowid
             WHERE papers_text MATCH ? AND {condition} ORDER BY bm25(papers_text, 2, 1), p.row LIMIT {count}"
        );
        self.rows(&sql, [Value::Text(expression)].into_iter().chain(values))
    }

    fn rows_where(&self, filter: &Filter, order: &str) -> Result<Vec<PaperRow>> {
        let (condition, values) = self.where_clause(filter)?;
        self.rows(&format!("SELECT p.row FROM papers p WHERE {condition} {order}"), values)
    }

    fn rows(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<PaperRow>> {
        let mut query = self.connection.prepare(sql)?;
        let rows = query.query_map(params_from_iter(values), |row| row.get(0).map(PaperRow))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The condition in SQL, with the values that it takes.
    pub(super) fn where_clause(&self, filter: &Filter) -> Result<(String, Vec<Value>)> {
        // A library of an older format has no list of what was seen, and so nothing was.
        let without = Filter { unseen: None, ..filter.clone() };
        let filter = if filter.unseen.is_some() && !self.keeps_profiles()? { &without } else { filter };
        let Condition { sql, values } = filter.condition()?;
        Ok((if sql.is_empty() { "1".to_owned() } else { sql.into_iter().map(|sql| format!("({sql})")).collect::<Vec<_>>().join(" AND ") }, values))
    }
}

/// Makes `has_author(authors, name)` known to a connection.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("has_author", 2, flags, |context| {
        let (authors, name) = (context.get_raw(0).as_str()?, context.get_raw(1).as_str()?);
        if !may_hold(authors, name) {
            return Ok(false);
        }
        let authors: Vec<String> = serde_json::from_str(authors).unwrap_or_default();
        Ok(authors.iter().any(|author| is_name(author, name)))
    })
}

/// False only if no author can have the name: reading the list takes longer than looking for the words in it, of which one must
/// be there in full.
fn may_hold(authors: &str, name: &str) -> bool {
    if !authors.is_ascii() || !name.is_ascii() {
        return true;
    }
    let stands_there = |word: &str| authors.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    name.split(|c: char| !c.is_alphanumeric()).any(|word| word.len() > 1 && stands_there(word))
}

/// True if an author goes by a name: each of its words is one of the author's, whatever the order, case and accents. Of a
/// first name the initial is enough, on either side, but one word must be there in full.
///
/// ```
/// use paperkin::library::is_name;
/// assert!(is_name("Schrödinger, Erwin", "erwin schrodinger") && is_name("E. Schrödinger", "Erwin Schrodinger"));
/// assert!(is_name("Erwin Schrödinger", "schrodinger") && !is_name("Erwin Schrödinger", "e s") && !is_name("Ann Li", "Lin"));
/// ```
pub fn is_name(author: &str, name: &str) -> bool {
    let (author, name) = (title_key(author), title_key(name));
    let author: Vec<&str> = author.split(' ').collect();
    let is_initial = |a: &str, b: &str| a.chars().count() == 1 && b.starts_with(a);
    let fits = |word: &&str| author.iter().any(|other| other == word || is_initial(word, other) || is_initial(other, word));
    let mut words = name.split(' ').filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && name.split(' ').any(|word| word.chars().count() > 1 && author.contains(&word)) && words.all(|word| fits(&word))
}
