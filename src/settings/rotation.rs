//! When a log file begins anew: at a size such as `100MiB`, `hourly`, `daily`, or never (`off`).

use std::{fmt, str::FromStr};

/// When a file begins anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rotation {
    /// Before it would be larger than this.
    Bytes(u64),
    /// With each day, UTC.
    Daily,
    /// With each hour.
    Hourly,
    /// Never: somebody else does that.
    Off,
}

const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => {
                let (unit, shift) = UNITS
                    .into_iter()
                    .find(|(_, shift)| bytes.trailing_zeros() >= *shift)
                    .unwrap_or(("B", 0));
                write!(f, "{}{unit}", bytes >> shift)
            }
            Self::Daily => f.write_str("daily"),
            Self::Hourly => f.write_str("hourly"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// The text says no time to begin anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a size such as 100MiB, hourly, daily or off")]
pub struct NotARotation;

impl FromStr for Rotation {
    type Err = NotARotation;

    fn from_str(text: &str) -> Result<Self, NotARotation> {
        match text {
            "daily" => return Ok(Self::Daily),
            "hourly" => return Ok(Self::Hourly),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let split =
            |(unit, shift)| Some((text.strip_suffix(unit)?.trim().parse::<u64>().ok()?, shift));
        let (count, shift) = UNITS.into_iter().find_map(split).ok_or(NotARotation)?;
        let bytes = count.checked_mul(1 << shift).filter(|bytes| *bytes > 0);
        bytes.map(Self::Bytes).ok_or(NotARotation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_a_size_or_a_time() {
        for (text, want, shown) in [
            ("100MiB", Rotation::Bytes(100 << 20), "100MiB"),
            ("1024 KiB", Rotation::Bytes(1 << 20), "1MiB"),
            ("1000B", Rotation::Bytes(1000), "1000B"),
            ("daily", Rotation::Daily, "daily"),
            ("off", Rotation::Off, "off"),
        ] {
            let rotation: Rotation = text.parse().unwrap();
            assert_eq!((rotation, rotation.to_string().as_str()), (want, shown));
        }
        for text in ["", "0MiB", "100", "MiB", "-1MiB", "weekly", "99999999999GiB"] {
            assert_eq!(text.parse::<Rotation>(), Err(NotARotation), "{text}");
        }
    }
}
