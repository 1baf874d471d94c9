//! Days: the forms in which sources write them.

/// A calendar day, without time or zone.
pub use jiff::civil::Date;

/// Reads the day out of `2025-12-10`, `2025-12-10T08:30:00.000Z`, `2025/12/10`, `Dec 10, 2025`, `10 Dec 2025`,
/// `Fri, 07 Mar 2014 10:00:00 GMT`. `None` where there is no valid one.
///
/// ```
/// use paperkin::paper::parse_date;
/// assert_eq!(parse_date("2025-12-10T23:59:59.000Z").unwrap().to_string(), "2025-12-10");
/// assert_eq!(parse_date("Nov 25, 2022").unwrap().to_string(), "2022-11-25");
/// assert_eq!(parse_date("2025-02-30"), None);
/// ```
pub fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    numeric(text).or_else(|| named(text))
}

/// A time in UTC, to the second, as `2026-08-11T07:00:00Z`, which sorts as text does.
pub fn utc(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The day so many days before; the first of all if there is none.
pub fn days_before(day: Date, days: i32) -> Date {
    day.saturating_sub(jiff::Span::new().days(days))
}

/// Reads `Dec 10` without a year: the month and the day.
pub fn parse_month_day(text: &str) -> Option<(i8, i8)> {
    let (name, day) = text.trim().split_once(' ')?;
    let month = month_number(name)?;
    let day: i8 = day.trim().parse().ok()?;
    // A leap year, so that Feb 29 is a day.
    Date::new(2024, month, day).ok().map(|_| (month, day))
}

fn numeric(text: &str) -> Option<Date> {
    let head = text.get(..10)?;
    let ends = text[10..].chars().next().is_none_or(|c| !c.is_ascii_digit());
    let separator = head.chars().nth(4).filter(|c| matches!(c, '-' | '/'))?;
    let parts: Vec<&str> = head.split(separator).collect();
    match parts.as_slice() {
        [year, month, day] if ends && year.len() == 4 && month.len() == 2 => {
            Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
        }
        _ => None,
    }
}

fn named(text: &str) -> Option<Date> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let words = match words.as_slice() {
        [weekday, rest @ ..] if rest.len() >= 3 && weekday.chars().all(char::is_alphabetic) && month_number(weekday).is_none() => rest,
        all => all,
    };
    let [first, second, year, ..] = words else { return None };
    let (month, day) = match month_number(first) {
        Some(month) => (month, second.parse().ok()?),
        None => (month_number(second)?, first.parse().ok()?),
    };
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(year.parse().ok()?, month, day).ok()
}

fn month_number(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let found = MONTHS.iter().position(|month| name == *month || (name.len() >= 3 && name.len() <= 4 && month.starts_with(&name)))?;
    i8::try_from(found + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_every_form_and_nothing_else_is() {
        let cases = [
            ("2014-03-07", Some((2014, 3, 7))),
            ("2026-07-26T00:00:00.000Z", Some((2026, 7, 26))),
            ("2025/12/10", Some((2025, 12, 10))),
            ("Oct 9, 2023", Some((2023, 10, 9))),
            ("September 30, 2023", Some((2023, 9, 30))),
            ("Sept. 30 2023", Some((2023, 9, 30))),
            ("7 Mar 2014", Some((2014, 3, 7))),
            ("Fri, 07 Mar 2014 10:00:00 GMT", Some((2014, 3, 7))),
            ("2025-13-01", None),
            ("2025-1-1", None),
            ("2025-12-100", None),
            ("Dec 10", None),
            ("Ma 3, 2024", None),
            ("Mar 3, -202", None),
            ("é2025-12-10", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(y, m, d)| Date::new(y, m, d).unwrap());
            assert_eq!(parse_date(text), expected, "{text}");
        }
    }
}
