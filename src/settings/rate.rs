//! How many requests a client may send: `30/minute`, or `off`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// The span of time that a rate is counted over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Period {
    /// 1 s.
    Second,
    /// 60 s.
    Minute,
    /// 3600 s.
    Hour,
    /// 86400 s.
    Day,
}

impl Period {
    const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// Its name in the singular.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        })
    }
}

/// So many requests in a period: that many at once, then one each time its share of the period has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Requests.
    pub count: NonZeroU32,
    /// In which time.
    pub period: Period,
}

impl Rate {
    /// The time after which one more request may come; at least 1 ns.
    #[must_use]
    pub fn share(self) -> Duration {
        (self.period.length() / self.count.get()).max(Duration::from_nanos(1))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period.name())
    }
}

/// A rate, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimit(pub Option<Rate>);

impl RateLimit {
    /// So many a minute; no limit for 0.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        Self(NonZeroU32::new(count).map(|count| Rate { count, period: Period::Minute }))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str("off"),
        }
    }
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a rate such as 30/minute")]
pub struct NotARate;

impl FromStr for RateLimit {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        if text == "off" {
            return Ok(Self(None));
        }
        let (count, period) = text.split_once('/').ok_or(NotARate)?;
        let count = count.trim().parse().map_err(|_not_one| NotARate)?;
        let period = period.trim().trim_end_matches('s').to_ascii_lowercase();
        let period = Period::ALL.into_iter().find(|known| known.name() == period);
        Ok(Self(Some(Rate { count, period: period.ok_or(NotARate)? })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_and_a_period() {
        for (text, shown, share) in [
            ("30/minute", "30/minute", Duration::from_secs(2)),
            ("1 / hours", "1/hour", Duration::from_secs(3600)),
            ("4/Second", "4/second", Duration::from_millis(250)),
            ("86400/day", "86400/day", Duration::from_secs(1)),
            ("4294967295/second", "4294967295/second", Duration::from_nanos(1)),
        ] {
            let limit: RateLimit = text.parse().unwrap();
            assert_eq!((limit.to_string().as_str(), limit.0.unwrap().share()), (shown, share));
        }
        assert_eq!("off".parse(), Ok(RateLimit(None)));
        for text in
            ["", "30", "0/minute", "-1/minute", "30/fortnight", "/minute", "30/", "1.5/second"]
        {
            assert_eq!(text.parse::<RateLimit>(), Err(NotARate), "{text}");
        }
    }
}
