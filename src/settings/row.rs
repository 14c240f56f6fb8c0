//! What makes a line of the table a setting: its field, its default, its range, its sentence.
//!
//! `table.rs` has one row for each setting and nothing else names them twice; everything that is said of settings
//! (the documents, the arguments of the command line, what is refused) is made of [`Row`]s.

use std::ops::RangeInclusive;

/// What is known of a setting besides its value.
#[derive(Clone, Debug)]
pub struct Row {
    /// Heading that it stands under.
    pub section: &'static str,
    /// Its name in a TOML file; in capitals and with the prefix it is the variable's.
    pub name: &'static str,
    /// What it is for.
    pub sentence: &'static str,
    /// What a value must be, range and unit included.
    pub want: String,
    /// The default as TOML; `None` where there is none.
    pub default: Option<toml::Value>,
    /// Read again on SIGHUP.
    pub reloads: bool,
}

/// The range and unit of a setting, as its row has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) range: Option<RangeInclusive<u64>>,
    pub(super) unit: Option<&'static str>,
}

impl Bounds {
    /// `1 to 300 seconds`, or what the type says if there is no range.
    pub(super) fn describe(&self, of_type: &str) -> String {
        let unit = self.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        match &self.range {
            Some(range) => format!("{} to {}{unit}", range.start(), range.end()),
            None => format!("{of_type}{unit}"),
        }
    }
}

/// Makes the settings' type, its default and its rows out of the table.
macro_rules! settings {
    ($( $section:literal {
        $( $(#[doc = $doc:literal])+
           $name:ident : $type:ty = $default:expr
           $(, in $range:expr)? $(, unit $unit:literal)? $(, reloads $reloads:literal)? ; )+
    } )+) => {
        /// The settings as they are written: flat names, the same in TOML and, with the prefix, in the environment.
        /// Times are in seconds.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($( $(#[doc = $doc])+ pub $name: $type, )+)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($( $name: $default, )+)+ }
            }
        }

        impl Settings {
            /// Reads every setting; faults stay with the reader, which gives the default in their place.
            pub(super) fn read(reader: &mut Reader<'_>) -> Self {
                let default = Self::default();
                Self { $($( $name: {
                    let bounds = Bounds {
                        range: None $(.or(Some($range)))?,
                        unit: None $(.or(Some($unit)))?,
                    };
                    reader.read(stringify!($name), &bounds).unwrap_or(default.$name)
                }, )+)+ }
            }

            /// Every setting, in the table's order.
            #[must_use]
            pub fn rows() -> Vec<Row> {
                let default = Self::default();
                vec![$($( Row {
                    section: $section,
                    name: stringify!($name),
                    sentence: concat!($($doc),+).trim_ascii(),
                    want: Bounds {
                        range: None $(.or(Some($range)))?,
                        unit: None $(.or(Some($unit)))?,
                    }.describe(&<$type as SettingValue>::want()),
                    default: default.$name.written(),
                    reloads: false $(|| $reloads)?,
                }, )+)+]
            }

            /// Every value as it is, in the table's order; `None` for one that is not set.
            #[must_use]
            pub fn values(&self) -> Vec<(&'static str, Option<toml::Value>)> {
                vec![$($( (stringify!($name), self.$name.written()), )+)+]
            }
        }
    };
}
pub(super) use settings;
