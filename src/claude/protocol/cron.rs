//! The times of a cron expression, as the CLI reads it: five fields in local time, of numbers, ranges, steps and
//! lists.

use std::ops::RangeInclusive;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// How far to look ahead. The rarest expression is for the 29th of February.
const DAYS: usize = 9 * 366;

/// Returns the first time after `after_ms` at which the expression matches, both in milliseconds since the Unix epoch.
pub(super) fn next(expression: &str, after_ms: u64, zone: &TimeZone) -> Option<u64> {
    let cron = Cron::parse(expression)?;
    let after = i64::try_from(after_ms).ok()?;
    let first = Timestamp::from_millisecond(after).ok()?.to_zoned_datetime(zone.clone()).date();
    first.series(1.day()).take(DAYS).filter(|day| cron.matches_day(*day)).find_map(|day| {
        let times =
            cron.hours.iter().flat_map(|hour| cron.minutes.iter().map(move |minute| (*hour, *minute)));
        let times = times.filter_map(|(hour, minute)| {
            day.at(hour, minute, 0, 0)
                .to_zoned_datetime(zone.clone())
                .ok()
                .map(|time| time.timestamp().as_millisecond())
        });
        times.filter(|time| *time > after).min().and_then(|time| u64::try_from(time).ok())
    })
}

struct Cron {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    /// Sunday is 0.
    weekdays: Vec<i8>,
}

impl Cron {
    fn parse(expression: &str) -> Option<Self> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return None };
        let mut weekdays = field(weekdays, 0..=7)?;
        weekdays.iter_mut().for_each(|day| *day %= 7);
        weekdays.sort_unstable();
        weekdays.dedup();
        Some(Self {
            minutes: field(minutes, 0..=59)?,
            hours: field(hours, 0..=23)?,
            days: field(days, 1..=31)?,
            months: field(months, 1..=12)?,
            weekdays,
        })
    }

    /// If both the day of the month and the weekday are restricted, one of them is enough.
    fn matches_day(&self, day: Date) -> bool {
        let of_month = self.days.contains(&day.day());
        let of_week = self.weekdays.contains(&day.weekday().to_sunday_zero_offset());
        let matches = match (self.days.len() == 31, self.weekdays.len() == 7) {
            (true, true) => true,
            (true, false) => of_week,
            (false, true) => of_month,
            (false, false) => of_month || of_week,
        };
        matches && self.months.contains(&day.month())
    }
}

fn field(list: &str, bounds: RangeInclusive<i8>) -> Option<Vec<i8>> {
    let mut values = Vec::new();
    for part in list.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (*bounds.start(), *bounds.end()),
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => range.parse().map(|value: i8| (value, value)).ok()?,
        };
        if first > last || !bounds.contains(&first) || !bounds.contains(&last) {
            return None;
        }
        values.extend((first..=last).step_by(step));
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_in(zone: &str, expression: &str, after: &str) -> Option<String> {
        let zone = TimeZone::posix(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let next = next(expression, after.as_millisecond().unsigned_abs(), &zone)?;
        Some(Timestamp::from_millisecond(next.cast_signed()).unwrap().to_string())
    }

    #[test]
    fn the_next_time_is_found() {
        for (expression, after, expected) in [
            ("* * * * *", "2026-11-29T08:34:18.4Z", "2026-11-29T08:35:00Z"),
            ("*/5 * * * *", "2026-11-29T08:35:00Z", "2026-11-29T08:40:00Z"),
            ("0 9 * * *", "2026-11-29T08:34:00Z", "2026-11-29T09:00:00Z"),
            ("0 9 * * *", "2026-11-29T09:00:00Z", "2026-11-30T09:00:00Z"),
            ("30 8-18/5,20 * * 1-5", "2026-11-29T00:00:00Z", "2026-11-30T08:30:00Z"),
            ("0 0 1 * 0", "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("0 0 * * 7", "2026-11-30T00:00:00Z", "2026-12-06T00:00:00Z"),
            ("0 0 29 2 *", "2026-11-30T00:00:00Z", "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(next_in("UTC0", expression, after).as_deref(), Some(expected), "{expression}");
        }
        for bad in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "0 0 30 2 *"] {
            assert_eq!(next_in("UTC0", bad, "2026-11-29T00:00:00Z"), None, "{bad}");
        }
    }

    #[test]
    fn times_are_local() {
        let zone = "CET-1CEST,M3.5.0,M10.5.0/3";
        assert_eq!(next_in(zone, "0 9 * * *", "2026-11-29T08:34:00Z").unwrap(), "2026-11-30T08:00:00Z");
        assert_eq!(next_in(zone, "0 9 * * *", "2026-03-28T08:34:00Z").unwrap(), "2026-03-29T07:00:00Z");
    }
}
