//! The engine beside Python's textfsm: the same records and the same refusals, on texts that templates are made for,
//! on texts they are not made for, on damaged ones, and for templates that were made up.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that fails may panic, and a skipped one says so"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use made_up::made_up;
use serde_json::{Value, json};
use showrunner::textfsm::{Cell, Item, Limits, Table, Template};

mod made_up;

const PYTHON_PACKAGE: &str = "textfsm==2.1.0";
/// Texts from elsewhere for each template.
const MOST_FOREIGN: usize = 6;
/// Templates that are made up.
const MADE_UP: usize = 4_000;
/// Damaged texts for each case.
const MUTATIONS: usize = 6;

fn skip(what: &str) {
    assert!(std::env::var_os("REQUIRE_PEERS").is_none(), "{what}");
    eprintln!("SKIPPED: comparison with Python's textfsm ({what})");
}

/// A Python with the package, made once in the build folder.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("textfsm-python");
    let python = folder.join("bin/python");
    let quiet = |command: &mut Command| {
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let ready = || quiet(Command::new(&python).args(["-c", "import textfsm"]));
    if ready() {
        return Some(python);
    }
    let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && quiet(Command::new(&python).args(["-m", "pip", "install", "--quiet", PYTHON_PACKAGE]));
    (made && ready()).then_some(python)
}

/// The library's templates by name, if it has been fetched.
fn templates() -> Option<BTreeMap<String, String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates");
    let package = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    let package =
        package.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "whl"))?;
    let mut archive = zip::ZipArchive::new(fs::File::open(package).unwrap()).unwrap();
    let mut templates = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        if let Some(name) =
            name.strip_prefix("ntc_templates/templates/").filter(|name| name.ends_with(".textfsm"))
        {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            templates.insert(name.to_owned(), text);
        }
    }
    Some(templates)
}

/// Recorded outputs by platform and command, where they are there.
fn recorded(corpus: &Path) -> BTreeMap<String, Vec<(String, String)>> {
    let inside = |folder: &Path| {
        let mut found: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut texts: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for platform in inside(corpus).iter().filter(|path| path.is_dir()) {
        for command in inside(platform) {
            for raw in inside(&command)
                .iter()
                .filter(|path| path.extension().is_some_and(|kind| kind == "raw"))
            {
                let text = String::from_utf8_lossy(&fs::read(raw).unwrap()).into_owned();
                texts.entry(name(platform)).or_default().push((name(&command), text));
            }
        }
    }
    texts
}

/// A stream of numbers that is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// A text with one kind of damage.
fn damaged(text: &str, kind: usize, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let at = dice.below(lines.len());
    match kind {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let chars: Vec<char> = text.chars().collect();
            return chars[..dice.below(chars.len())].iter().collect();
        }
        3 => {
            let swap = |c: char| {
                if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            };
            lines[at] = lines[at].chars().map(swap).collect();
        }
        _ => {
            const ODD: [char; 16] = [
                'é', 'ß', '½', '٣', '²', '\u{301}', '\u{a0}', '\u{2003}', '\u{203f}', 'ſ',
                '\u{1f}', '\u{1c}', '\u{85}', '\u{2028}', '\u{b}', '\r',
            ];
            for _ in 0..3 {
                let at = dice.below(lines.len());
                let line: Vec<char> = lines[at].chars().collect();
                let cut = dice.below(line.len() + 1);
                let odd = if kind == 4 { dice.below(10) } else { 10 + dice.below(6) };
                lines[at] = line[..cut].iter().chain([&ODD[odd]]).chain(&line[cut..]).collect();
            }
        }
    }
    lines.join("\n")
}

fn rows(table: &Table) -> Value {
    let item = |item: &Item| match item {
        Item::None => Value::Null,
        Item::Text(text) => json!(text),
        Item::Groups(groups) => {
            Value::Object(groups.iter().map(|(name, text)| (name.clone(), json!(text))).collect())
        }
    };
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => json!(text),
        Cell::List(items) => items.iter().map(item).collect(),
    };
    table.rows.iter().map(|row| row.iter().map(cell).collect::<Value>()).collect()
}

/// What Python says to each pair.
fn reference(python: &Path, pairs: &[(String, &str, String)]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/textfsm_python/reference.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (_, template, text) in pairs {
                writeln!(input, "{}", json!({"template": template, "text": text})).unwrap();
            }
        });
        let mut output = String::new();
        child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        assert!(child.wait().unwrap().success());
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    })
}

#[test]
fn python_says_the_same_of_foreign_and_damaged_texts() {
    let Some(data) = std::env::var_os("CONFORMANCE_DATA") else {
        eprintln!("SKIPPED: comparison with Python's textfsm (CONFORMANCE_DATA is not set)");
        return;
    };
    let Some(templates) = templates() else {
        return skip("no template library: run `make templates`");
    };
    let Some(python) = python() else { return skip("no python3 with pip") };
    let mut dice = Dice(20_261_121);
    let texts = recorded(&Path::new(&data).join("corpus"));
    let mut pairs: Vec<(String, &str, String)> = Vec::new();
    for (platform, texts) in &texts {
        let own = |command: &str| format!("{platform}_{command}.textfsm");
        for (name, template) in
            templates.iter().filter(|(name, _)| name.starts_with(&format!("{platform}_")))
        {
            for _ in 0..MOST_FOREIGN {
                let (_, text) = &texts[dice.below(texts.len())];
                pairs.push((name.clone(), template, text.clone()));
            }
        }
        for (command, text) in texts {
            let Some(template) = templates.get(&own(command)) else { continue };
            pairs.push((own(command), template, text.clone()));
            for kind in 0..MUTATIONS {
                pairs.push((own(command), template, damaged(text, kind, &mut dice)));
            }
        }
    }
    assert!(pairs.len() > 10_000, "{}", pairs.len());
    let middle = pairs.len() / 2;
    let answers = std::thread::scope(|scope| {
        let (first, second) = pairs.split_at(middle);
        let first = scope.spawn(|| reference(&python, first));
        let second = reference(&python, second);
        [first.join().unwrap(), second].concat()
    });
    assert_eq!(answers.len(), pairs.len());
    let compiled: BTreeMap<&String, Template> =
        templates.iter().map(|(name, text)| (name, Template::parse(text).unwrap())).collect();
    let (mut late, mut refused, mut differences) = (0, 0, Vec::new());
    let mut slowest = (Duration::ZERO, "");
    for ((name, _, text), answer) in pairs.iter().zip(&answers) {
        let started = Instant::now();
        let read = compiled[name].read(text, &Limits::default(), &|| false, None);
        slowest = slowest.max((started.elapsed(), name));
        if answer["late"] == true {
            late += 1;
            continue;
        }
        let same = match &read {
            Ok(table) => answer["rows"] == rows(table) && answer["header"] == json!(table.header),
            Err(error) => {
                refused += 1;
                assert!(!error.is_limit(), "{name}: {error}");
                answer["error"] == true
            }
        };
        if !same {
            differences
                .push(format!("{name}: {:?}\nwe: {read:?}\nPython: {answer}", text.get(..200)));
        }
    }
    eprintln!(
        "{} pairs, {refused} refused by their templates, {late} where Python took over 2 s; our slowest {slowest:?}",
        pairs.len()
    );
    assert!(
        differences.is_empty(),
        "{} differences, the first: {}",
        differences.len(),
        differences[0]
    );
}

/// Options in every combination, actions, groups in lists, and faults of all kinds.
#[test]
fn python_says_the_same_of_templates_that_were_made_up() {
    let Some(python) = python() else { return skip("no python3 with pip") };
    let mut dice = Dice(20_261_122);
    let pairs: Vec<(String, String)> = (0..MADE_UP).map(|_| made_up(&mut dice)).collect();
    let asked: Vec<(String, &str, String)> = pairs
        .iter()
        .map(|(template, text)| (String::new(), template.as_str(), text.clone()))
        .collect();
    let answers = reference(&python, &asked);
    let (mut taken, mut refused, mut rows_read) = (0, 0, 0);
    for ((template, text), answer) in pairs.iter().zip(&answers) {
        let context = || format!("{template}\n{text}\nPython: {answer}");
        match Template::parse(template) {
            Err(error) => {
                refused += 1;
                assert_eq!(answer["refused"], true, "{error}: {}", context());
            }
            Ok(compiled) => {
                taken += 1;
                assert_eq!(answer["refused"], Value::Null, "{}", context());
                match compiled.read(text, &Limits::default(), &|| false, None) {
                    Ok(table) => {
                        rows_read += table.rows.len();
                        assert_eq!(answer["rows"], rows(&table), "{}", context());
                    }
                    Err(error) => assert_eq!(answer["error"], true, "{error}: {}", context()),
                }
            }
        }
    }
    eprintln!("{taken} templates taken, {refused} refused, {rows_read} rows");
    assert!(taken > MADE_UP / 10 && refused > MADE_UP / 10 && rows_read > MADE_UP / 10);
}
