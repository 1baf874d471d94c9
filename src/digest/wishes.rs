//! What somebody wishes of digests: which papers, how many, in which order, and when.

use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::library::{Filter, Keyword, Place};
use crate::paper::{Date, days_before};

/// Which papers a digest holds, and how. Everything that is given must hold; of several categories, authors or sources, one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// In one of these categories, such as `cs.LG` or `cs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// By one of these authors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// With all of these words or phrases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Without any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Told of by one of these sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// With at least so many votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_upvotes: Option<u32>,
    /// At most so many papers are shown; the others are counted.
    pub papers: usize,
    /// What comes first.
    pub sort: Sort,
    /// What becomes of papers that were seen.
    pub seen: Seen,
    /// Mail even where there is no paper.
    pub even_if_empty: bool,
    /// When it is due.
    pub schedule: Schedule,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            categories: Vec::new(),
            authors: Vec::new(),
            keywords: Vec::new(),
            exclude: Vec::new(),
            sources: Vec::new(),
            min_upvotes: None,
            papers: 30,
            sort: Sort::default(),
            seen: Seen::default(),
            even_if_empty: false,
            schedule: Schedule::default(),
        }
    }
}

impl Wishes {
    /// The papers that they let through, of whatever day.
    pub fn filter(&self) -> Filter {
        let keyword = |text: &String| Keyword { text: text.clone(), place: Place::Anywhere };
        Filter {
            categories: self.categories.clone(),
            authors: self.authors.clone(),
            keywords: self.keywords.iter().map(keyword).collect(),
            exclude: self.exclude.iter().map(keyword).collect(),
            sources: self.sources.clone(),
            min_upvotes: self.min_upvotes,
            ..Filter::default()
        }
    }
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// What is most like what the profile likes, newer and with votes.
    #[default]
    Likeness,
    /// Votes and comments, less as they age.
    Trending,
    /// The newest.
    Published,
}

/// What becomes of papers that the profile has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// They are left out.
    #[default]
    Hide,
    /// They are marked.
    Mark,
}

impl FromStr for Sort {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "likeness" => Ok(Self::Likeness),
            "trending" => Ok(Self::Trending),
            "published" => Ok(Self::Published),
            other => Err(Error::usage(format!("no order {other:?}; expected likeness, trending or published"))),
        }
    }
}

impl FromStr for Seen {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "hide" => Ok(Self::Hide),
            "mark" => Ok(Self::Mark),
            other => Err(Error::usage(format!("{other:?} says nothing of papers that were seen; expected hide or mark"))),
        }
    }
}

/// How often a digest comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Each day.
    #[default]
    Day,
    /// Each week, on one day of it.
    Week,
}

/// When digests are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// At which time of the day.
    #[serde(with = "as_text")]
    pub at: At,
    /// On which day of the week, if weekly.
    #[serde(with = "as_text")]
    pub on: Day,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { every: Every::Day, at: At { time: Time::constant(7, 0, 0, 0), offset: Offset::UTC }, on: Day(Weekday::Monday) }
    }
}

/// A time of the day, in UTC or at so many hours from it: `07:00`, `07:00+02:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    time: Time,
    offset: Offset,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(Weekday);

/// What is written and read as people type it.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

const WEEK: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl Schedule {
    /// The day, where the schedule is, of the last time, not after `now`, at which a digest was due.
    pub fn last(&self, now: Timestamp) -> Date {
        let local = self.at.offset.to_datetime(now);
        let mut day = if local.time() >= self.at.time { local.date() } else { days_before(local.date(), 1) };
        while self.every == Every::Week && day.weekday() != self.on.0 {
            day = days_before(day, 1);
        }
        day
    }

    /// The first time after `now` at which one will be due.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        self.at.on(days_before(self.last(now), -self.days()))
    }

    /// Days from one to the next.
    pub fn days(&self) -> i32 {
        match self.every {
            Every::Day => 1,
            Every::Week => 7,
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.every {
            Every::Day => write!(f, "every day at {}", self.at)?,
            Every::Week => write!(f, "every {} at {}", self.on, self.at)?,
        }
        f.write_str(if self.at.offset == Offset::UTC { " UTC" } else { "" })
    }
}

impl At {
    fn on(self, day: Date) -> Timestamp {
        // Only at the ends of the calendar is there no such time.
        self.offset.to_timestamp(day.to_datetime(self.time)).unwrap_or(Timestamp::MAX)
    }
}

impl FromStr for At {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage(format!("no time {text:?}; expected HH:MM in UTC, or with its distance from it, as 07:00+02:00"));
        let text = text.trim().trim_end_matches('Z');
        let (time, sign, away) = match text.find(['+', '-']) {
            Some(at) => (&text[..at], if text[at..].starts_with('-') { -1 } else { 1 }, &text[at + 1..]),
            None => (text, 1, "00:00"),
        };
        let minutes = |text: &str, most: i64| {
            let (hours, minutes) = text.split_once(':')?;
            let number = |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()));
            Some((number(hours)?, number(minutes)?)).filter(|(hours, minutes)| *hours <= most && *minutes < 60)
        };
        let ((hour, minute), (away_hours, away_minutes)) = (minutes(time, 23).ok_or_else(wrong)?, minutes(away, 14).ok_or_else(wrong)?);
        let offset = Offset::UTC.saturating_add(SignedDuration::from_mins(sign * (60 * away_hours + away_minutes)));
        let time = Time::new(hour as i8, minute as i8, 0, 0).map_err(|_| wrong())?;
        Ok(Self { time, offset })
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.time.hour(), self.time.minute())?;
        let minutes = self.offset.seconds() / 60;
        match minutes {
            0 => Ok(()),
            minutes => write!(f, "{}{:02}:{:02}", if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60),
        }
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let found = WEEK.iter().find(|(name, _)| lower.len() >= 3 && name.starts_with(&lower));
        found.map(|(_, day)| Self(*day)).ok_or_else(|| Error::usage(format!("no day of the week {text:?}; expected monday to sunday")))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(WEEK.iter().find(|(_, day)| *day == self.0).map_or("monday", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_due_at_its_time_and_on_its_day() {
        let schedule = |every, at: &str, on: &str| Schedule { every, at: at.parse().unwrap(), on: on.parse().unwrap() };
        let cases = [
            (schedule(Every::Day, "07:00", "mon"), "2026-08-11T07:00:00Z", "2026-08-11T07:00:00Z", "2026-08-12T07:00:00Z"),
            (schedule(Every::Day, "07:00", "mon"), "2026-08-11T06:59:59Z", "2026-08-10T07:00:00Z", "2026-08-11T07:00:00Z"),
            // In Tokyo it is the twelfth already.
            (schedule(Every::Day, "07:00+09:00", "mon"), "2026-08-11T22:00:00Z", "2026-08-11T22:00:00Z", "2026-08-12T22:00:00Z"),
            (schedule(Every::Day, "23:30-03:30", "mon"), "2026-08-11T02:59:00Z", "2026-08-10T03:00:00Z", "2026-08-11T03:00:00Z"),
            // The eleventh is a Tuesday.
            (schedule(Every::Week, "07:00", "Friday"), "2026-08-11T12:00:00Z", "2026-08-07T07:00:00Z", "2026-08-14T07:00:00Z"),
            (schedule(Every::Week, "07:00", "tue"), "2026-08-11T06:00:00Z", "2026-08-04T07:00:00Z", "2026-08-11T07:00:00Z"),
        ];
        for (schedule, now, last, next) in cases {
            let time = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(schedule.at.on(schedule.last(time(now))), time(last), "{schedule} before {now}");
            assert_eq!(schedule.next(time(now)), time(next), "{schedule} after {now}");
        }
        assert_eq!(schedule(Every::Day, "07:00+09:00", "mon").last("2026-08-11T22:00:00Z".parse().unwrap()), Date::constant(2026, 8, 12));
        for wrong in ["7:00", "24:00", "07:60", "07", "07:00+15:00", "07:00+2", "-07:00", "ab:cd", "+1:00", ""] {
            assert!(wrong.parse::<At>().is_err(), "{wrong}");
        }
        assert!("mo".parse::<Day>().is_err() && "frieday".parse::<Day>().is_err());
    }

    #[test]
    fn wishes_are_written_and_read_back() {
        let wishes = Wishes { categories: vec!["cs.LG".into()], sort: Sort::Trending, ..Wishes::default() };
        let text = serde_json::to_string(&wishes).unwrap();
        assert_eq!(serde_json::from_str::<Wishes>(&text).unwrap(), wishes, "{text}");
        let schedule = Schedule { every: Every::Week, at: "06:30-05:30".parse().unwrap(), on: "sunday".parse().unwrap() };
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(text, r#"{"every":"week","at":"06:30-05:30","on":"sunday"}"#);
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        assert!(serde_json::from_str::<Wishes>(r#"{"sort":"best"}"#).is_err());
    }
}
