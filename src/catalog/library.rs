//! The library of templates that was packed into the program: the ntc-templates package as it was fetched.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::index::Index;

/// The package's files, if there was one when the program was built.
const PACKED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/library.rs"));
/// Where templates stand in the package.
const FOLDER: &str = "ntc_templates/templates/";

/// Why the templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The packed library is not what it should be.
    #[error("the packed template library cannot be read: {0}")]
    Packed(String),
    /// The operator's folder cannot be read.
    #[error("the folder of own templates cannot be read: {folder}: {source}")]
    Folder {
        /// Its path.
        folder: String,
        /// The system's word for it.
        source: std::io::Error,
    },
}

/// What the packed library is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LibraryInfo {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// How many templates it has.
    pub templates: usize,
    /// The package's licence, in full.
    pub licence: String,
}

#[derive(Debug)]
pub(super) struct Library {
    archive: ZipArchive<Cursor<&'static [u8]>>,
    index: Index,
    info: LibraryInfo,
}

impl Library {
    /// The packed library, if there is one.
    pub(super) fn packed() -> Result<Option<Self>, LibraryError> {
        PACKED.map(Self::open).transpose()
    }

    fn open(bytes: &'static [u8]) -> Result<Self, LibraryError> {
        let broken = |what: &str| LibraryError::Packed(what.to_owned());
        let mut archive = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| LibraryError::Packed(error.to_string()))?;
        let files: Vec<String> = archive
            .file_names()
            .filter_map(|name| name.ok().map(std::borrow::Cow::into_owned))
            .collect();
        let named = |end: &str| files.iter().find(|name| name.ends_with(end));
        let about = named(".dist-info/METADATA").and_then(|name| text_of(&mut archive, name));
        let about = about.ok_or_else(|| broken("it has no METADATA"))?;
        let field = |name: &str| {
            about
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        let licence = named("LICENSE").and_then(|name| text_of(&mut archive, name));
        let index = text_of(&mut archive, &format!("{FOLDER}index"))
            .ok_or_else(|| broken("it has no index"))?;
        let (index, faults) = Index::parse(&index, 0);
        if let Some((line, reason)) = faults.first() {
            return Err(LibraryError::Packed(format!("line {line} of its index: {reason}")));
        }
        let info = LibraryInfo {
            name: field("Name:").ok_or_else(|| broken("it has no name"))?,
            version: field("Version:").ok_or_else(|| broken("it has no version"))?,
            templates: files.iter().filter(|name| name.ends_with(".textfsm")).count(),
            licence: licence.ok_or_else(|| broken("it has no licence"))?,
        };
        Ok(Self { archive, index, info })
    }

    pub(super) fn info(&self) -> &LibraryInfo {
        &self.info
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// A template's text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        // Cheap: a clone shares the archive's table.
        text_of(&mut self.archive.clone(), &format!("{FOLDER}{name}"))
    }
}

fn text_of(archive: &mut ZipArchive<Cursor<&'static [u8]>>, name: &str) -> Option<String> {
    let mut text = String::new();
    archive.by_name(name).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}
