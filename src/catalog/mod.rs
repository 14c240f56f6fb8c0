//! Which template reads which command, and the records it reads.
//!
//! Two shelves of templates: the operator's own folder, asked first, and the library that was packed into the
//! program. A template is chosen only if it is for this very command: exact, abbreviated as the device takes it, or
//! with arguments behind it ([`lookup`](self::shelf)). Compiled templates are kept, the least used go first.

mod cache;
mod forms;
mod index;
mod library;
mod own;
mod records;
mod shelf;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt::Display, path::PathBuf, sync::Arc};

use self::{
    cache::Cache,
    library::Library,
    own::OwnTemplates,
    records::Tree,
    shelf::{Found, Shelves},
};
pub use self::{
    library::{LibraryError, LibraryInfo},
    own::Broken,
    records::{Records, TooLarge},
    shelf::Match,
};
use crate::{
    command::only_pages,
    config_tree,
    platform::Platform,
    textfsm::{Limits, Template},
};

/// How many compiled templates are kept.
const MOST_COMPILED: usize = 256;

/// All templates there are. One for the whole process; shared between threads.
#[derive(Debug)]
pub struct Catalog {
    library: Option<Library>,
    own: Option<OwnTemplates>,
    shelves: Shelves,
    compiled: Cache,
    limits: Limits,
}

/// The names under which a platform's templates may stand.
#[derive(Clone, Debug, Default)]
pub struct Os {
    /// As the request had it.
    given: String,
    /// Every name of the platform, for the operator's own templates.
    names: Vec<String>,
    /// The library's name for it.
    ntc: Option<String>,
    /// Whose templates may be tried besides.
    fallback: Option<String>,
    /// How its commands are written.
    platform: Option<Arc<Platform>>,
}

impl Os {
    /// The names of a platform, or of none: then only what was given counts.
    #[must_use]
    pub fn new(given: &str, platform: Option<&Arc<Platform>>) -> Self {
        let given = given.to_ascii_lowercase();
        let Some(platform) = platform else {
            return Self { names: vec![given.clone()], given, ..Self::default() };
        };
        let mut names = vec![given.clone(), platform.name().to_owned()];
        names.extend(platform.aliases().iter().cloned());
        names.extend(platform.ntc().map(str::to_owned));
        Self {
            given,
            names,
            ntc: platform.ntc().map(str::to_owned),
            fallback: platform.ntc_fallback().map(str::to_owned),
            platform: Some(Arc::clone(platform)),
        }
    }

    /// A command as an index has it.
    pub(crate) fn indexed<'l>(&self, line: &'l str) -> Cow<'l, str> {
        match &self.platform {
            Some(platform) => platform.reads().indexed(line),
            None => line.into(),
        }
    }
}

/// What read an output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parser {
    /// `textfsm`, `config_tree` or `native`.
    pub engine: &'static str,
    /// The template's file name, or several with `:` between them that fill one record together.
    pub template: Option<String>,
    /// How the template was chosen.
    pub chosen: Match,
    /// Where the template is from: `library`, `own` or `request`.
    pub source: Option<&'static str>,
    /// The platform whose template this is, if it is another's.
    pub fallback: Option<String>,
}

impl Parser {
    /// One that works without a template.
    #[must_use]
    pub fn without_template(engine: &'static str) -> Self {
        Self { engine, template: None, chosen: Match::Exact, source: None, fallback: None }
    }
}

/// Which rule matched a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// The template's file name.
    pub template: String,
    /// The output's line, from 1.
    pub line: usize,
    /// The state in which the rule matched.
    pub state: String,
    /// The template's line, from 1.
    pub rule: usize,
}

/// What was read out of an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The records, or the tree; `None` with `error`.
    pub parsed: Option<Records>,
    /// Why there are none.
    pub error: Option<String>,
    /// What read it, if it came to that.
    pub parser: Option<Parser>,
    /// Every rule that matched, if it was asked for.
    pub steps: Vec<Explained>,
}

impl Reading {
    /// Nothing was read, and why.
    #[must_use]
    pub fn refused(why: &str) -> Self {
        Self { error: Some(why.to_owned()), ..Self::default() }
    }

    /// Puts in what was read, or why there is none.
    pub fn put<E: Display>(&mut self, records: Result<Records, E>) {
        match records {
            Ok(records) => self.parsed = Some(records),
            Err(error) => self.error = Some(format!("Parser failed: {error}")),
        }
    }
}

/// A template as `GET /api/v1/parsers` lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The command in full.
    pub command: String,
    /// The template's file name, or several with `:` between them.
    pub template: String,
    /// `library` or `own`.
    pub source: &'static str,
    /// Names of the record's fields, and whether they are lists.
    pub fields: Vec<(String, bool)>,
}

impl Catalog {
    /// The library that was packed into the program, if there is one, and a folder of the operator's own.
    ///
    /// # Errors
    /// The packed library cannot be read, or the folder cannot. A broken template is no error: see [`broken`](Self::broken).
    pub fn open(own: Option<PathBuf>) -> Result<Self, LibraryError> {
        Ok(Self {
            library: Library::packed()?,
            own: own.map(OwnTemplates::open).transpose()?,
            shelves: Shelves::default(),
            compiled: Cache::new(MOST_COMPILED),
            limits: Limits::default(),
        })
    }

    /// Name, version and size of the packed library.
    #[must_use]
    pub fn library(&self) -> Option<&LibraryInfo> {
        self.library.as_ref().map(Library::info)
    }

    /// Templates of the operator's own that cannot be read.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        self.own.as_ref().map(|own| own.current().broken.clone()).unwrap_or_default()
    }

    /// How many templates of the operator's own can be read.
    #[must_use]
    pub fn own_templates(&self) -> usize {
        self.own.as_ref().map_or(0, |own| own.current().texts.len())
    }

    /// True if [`refresh`](Self::refresh) would look at the folder of own templates.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.own.as_ref().is_some_and(OwnTemplates::is_stale)
    }

    /// Looks at the folder of own templates if that was more than a second ago, and reads it if it has changed. Reads
    /// files: not for async code.
    pub fn refresh(&self) {
        if let Some(own) = &self.own {
            own.refresh();
        }
    }

    /// Reads the folder of own templates now, changed or not.
    pub fn reload(&self) {
        if let Some(own) = &self.own {
            own.reload();
        }
    }

    /// True if there is a template for any command of it.
    #[must_use]
    pub fn knows(&self, os: &Os) -> bool {
        self.sources(os).iter().any(|source| !source.shelf.is_empty())
    }

    /// Reads an output with the template for its command, or says why not. `line` is the command with its filters: a
    /// few templates are for a filtered output. Otherwise it is the one for `command`, the command without them.
    /// `is_late` is asked now and then and ends it.
    pub fn read(
        &self,
        os: &Os,
        line: &str,
        command: Option<&str>,
        output: &str,
        explain: bool,
        is_late: &dyn Fn() -> bool,
    ) -> Reading {
        let Some((found, source)) = self.search(os, line, command) else {
            let command = command.unwrap_or(line);
            if config_tree::is_shown(&os.indexed(command), output) {
                return match os.platform.as_ref().and_then(|one| one.errors().find(output)) {
                    Some(_) => Reading::refused("Parser not run: the device refused the command"),
                    None => read_tree(output, is_late),
                };
            }
            return Reading::refused(&self.no_template(os, command));
        };
        let parser = source.parser(&found);
        let mut templates = Vec::new();
        for name in &found.templates {
            match self.template(&source, name) {
                Ok(template) => templates.push((name.clone(), template)),
                Err(error) => {
                    let error = Some(format!("Parser failed: template {name}: {error}"));
                    return Reading { error, parser: Some(parser), ..Reading::default() };
                }
            }
        }
        self.run(&templates, parser, output, explain, is_late)
    }

    /// The same for a command as it was typed, filters included: cut at its first filter, if no template is for all of it.
    pub fn read_line(
        &self,
        os: &Os,
        line: &str,
        output: &str,
        explain: bool,
        is_late: &dyn Fn() -> bool,
    ) -> Reading {
        let command = line.split('|').next().unwrap_or(line).trim();
        let is_whole = line.get(command.len()..).is_some_and(only_pages);
        self.read(os, line, is_whole.then_some(command), output, explain, is_late)
    }

    /// Reads an output with a template that a request brought along.
    ///
    /// # Errors
    /// What is wrong with the template, and in which line.
    pub fn read_with(
        &self,
        text: &str,
        output: &str,
        explain: bool,
        is_late: &dyn Fn() -> bool,
    ) -> Result<Reading, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        let parser = Parser { source: Some("request"), ..Parser::without_template("textfsm") };
        let templates = [("request".to_owned(), Arc::new(template))];
        Ok(self.run(&templates, parser, output, explain, is_late))
    }

    /// What would read a command, without reading anything.
    #[must_use]
    pub fn parser_of(&self, os: &Os, line: &str, command: Option<&str>) -> Option<Parser> {
        let (found, source) = self.search(os, line, command)?;
        Some(source.parser(&found))
    }

    /// Every command of a platform that can be read, with the fields of its records.
    #[must_use]
    pub fn list(&self, os: &Os) -> Vec<Listed> {
        let mut listed = Vec::new();
        for source in self.sources(os) {
            for (command, templates) in source.shelf.commands() {
                let mut fields: Vec<(String, bool)> = Vec::new();
                for name in templates {
                    let Ok(template) = self.template(&source, name) else { continue };
                    for field in template.fields() {
                        let name = field.name.to_lowercase();
                        if !fields.iter().any(|(known, _)| *known == name) {
                            fields.push((name, field.is_list));
                        }
                    }
                }
                listed.push(Listed {
                    command,
                    template: templates.join(":"),
                    source: source.name,
                    fields,
                });
            }
        }
        listed
    }

    /// The library's platforms, with how many commands each has.
    #[must_use]
    pub fn platforms(&self) -> Vec<(String, usize)> {
        self.library.as_ref().map(|library| library.index().platforms()).unwrap_or_default()
    }

    fn run(
        &self,
        templates: &[(String, Arc<Template>)],
        parser: Parser,
        output: &str,
        explain: bool,
        is_late: &dyn Fn() -> bool,
    ) -> Reading {
        let mut tables = Vec::new();
        let mut reading = Reading { parser: Some(parser), ..Reading::default() };
        for (name, template) in templates {
            let mut steps = Vec::new();
            let table = template.read(output, &self.limits, is_late, explain.then_some(&mut steps));
            reading.steps.extend(steps.into_iter().map(|step| Explained {
                template: name.clone(),
                line: step.line,
                state: step.state,
                rule: step.rule,
            }));
            match table {
                Ok(table) => tables.push((&**template, table)),
                Err(error) => {
                    reading.error = Some(format!("Parser failed: {error}; template {name}"));
                    return reading;
                }
            }
        }
        match records::merge(tables, &self.limits) {
            Ok(rows) if rows.is_empty() && !output.trim().is_empty() => {
                let names: Vec<_> = templates.iter().map(|(name, _)| name.as_str()).collect();
                reading.error = Some(format!(
                    "Parser found no records in {} lines of output; template {}",
                    output.lines().count(),
                    names.join(":")
                ));
            }
            Ok(rows) => reading.put(Records::write(&rows)),
            Err(error) => reading.put(Err(error)),
        }
        reading
    }

    fn no_template(&self, os: &Os, command: &str) -> String {
        if self.library.is_none() && self.own.is_none() {
            return "Parser not available: this program was built without the template library (run `make templates`, \
                    then build again), and no folder of own templates is set"
                .to_owned();
        }
        format!(
            "Parser not available: no template reads `{command}` of {}; GET /api/v1/parsers?os={} lists those there are",
            os.given, os.given
        )
    }

    fn search(&self, os: &Os, line: &str, command: Option<&str>) -> Option<(Found, Source)> {
        self.find(os, line).or_else(|| self.find(os, command.filter(|command| *command != line)?))
    }

    fn find(&self, os: &Os, command: &str) -> Option<(Found, Source)> {
        let sources = self.sources(os);
        let command = &*os.indexed(command);
        let at = sources.iter().enumerate().find_map(|(at, source)| {
            let found = source.shelf.find(command)?;
            let mut others = sources.iter().enumerate().filter(|(other, _)| *other != at);
            let disputed = others.any(|(_, by)| {
                by.fallback.is_none()
                    && if found.is_believed {
                        // An expression that takes anything takes no command that has a template of its own.
                        let other = by.shelf.find(command);
                        other.is_some_and(|other| other.chosen != Match::Argument)
                    } else {
                        // A word is shortened if it can be nothing else on this platform, whichever shelf has the other.
                        by.shelf.disputes(&found, command)
                    }
            });
            (!disputed).then_some((found, at))
        });
        let (found, at) = at?;
        sources.into_iter().nth(at).map(|source| (found, source))
    }

    /// The shelves for a platform, in the order in which they are asked.
    fn sources(&self, os: &Os) -> Vec<Source> {
        let mut asked = Vec::new();
        if let Some(own) = &self.own {
            let own = own.current();
            asked.push(Source {
                name: "own",
                fallback: None,
                shelf: self.shelves.of(&own.index, &os.names),
                generation: Some(own.generation),
            });
        }
        if let Some(library) = &self.library {
            let index = library.index();
            let mut push = |name: &str, fallback: Option<String>| {
                asked.push(Source {
                    name: "library",
                    fallback,
                    shelf: self.shelves.of(index, &[name.to_owned()]),
                    generation: None,
                });
            };
            push(&os.given, None);
            if let Some(ntc) = os.ntc.as_ref().filter(|ntc| **ntc != os.given) {
                push(ntc, None);
            }
            if let Some(fallback) = &os.fallback {
                push(fallback, Some(fallback.clone()));
            }
        }
        asked
    }

    fn template(&self, source: &Source, name: &str) -> Result<Arc<Template>, String> {
        let key = (source.generation, name.to_owned());
        self.compiled.fetch(key, || {
            let text = match source.generation {
                Some(_) => self.own.as_ref().and_then(|own| own.current().texts.get(name).cloned()),
                None => self.library.as_ref().and_then(|library| library.text(name)),
            };
            let text = text.ok_or("there is no such file")?;
            Template::parse(&text).map_err(|error| error.to_string())
        })
    }
}

/// A shelf and where it stands.
struct Source {
    name: &'static str,
    fallback: Option<String>,
    shelf: Arc<shelf::Shelf>,
    /// Which reading of the own folder; `None` for the library.
    generation: Option<u64>,
}

impl Source {
    fn parser(&self, found: &Found) -> Parser {
        Parser {
            engine: "textfsm",
            template: Some(found.templates.join(":")),
            chosen: found.chosen,
            source: Some(self.name),
            fallback: self.fallback.clone(),
        }
    }
}

/// The engine of what no template reads: a configuration's sections.
pub const CONFIG_TREE: &str = "config_tree";

/// The sections of a configuration that no template reads. `is_late` is asked now and then and ends it.
pub fn read_tree(output: &str, is_late: &dyn Fn() -> bool) -> Reading {
    let parser = Some(Parser::without_template(CONFIG_TREE));
    let mut reading = Reading { parser, ..Reading::default() };
    match config_tree::read(output, is_late) {
        Ok(sections) => reading.put(Records::write(&Tree(&sections))),
        Err(error) => reading.put(Err(error)),
    }
    reading
}
