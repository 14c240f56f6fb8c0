//! Parsing beside Python's textfsm and ntc-templates, in one run, over recorded outputs.
//!
//! `CONFORMANCE_DATA=… cargo bench --bench parsing`, with the library built in. Python with the packages is made in the
//! build folder. Prints a table; nothing is judged here.
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints"
)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use showrunner::{
    catalog::{Catalog, Os},
    platform::Registry,
    textfsm::{Limits, Template},
};

const PACKAGES: [&str; 2] = ["textfsm==2.1.0", "ntc-templates==9.3.0"];
const ROUNDS: usize = 7;

struct Case {
    os: Os,
    platform: String,
    command: String,
    text: String,
}

fn main() {
    let Some(data) = std::env::var_os("CONFORMANCE_DATA") else {
        println!("parsing: nothing to measure with (CONFORMANCE_DATA is not set)");
        return;
    };
    let before = resident();
    let started = Instant::now();
    let catalog = Catalog::open(None).unwrap();
    let opened = started.elapsed();
    if catalog.library().is_none() {
        println!("parsing: built without the template library (run `make templates`)");
        return;
    }
    println!("open the library: {:.1} ms, {:.1} MB", millis(opened), resident() - before);
    let cases = cases(&Path::new(&data).join("corpus"));
    let bytes: usize = cases.iter().map(|case| case.text.len()).sum();
    println!("{} cases, {:.2} MB", cases.len(), bytes as f64 / 1e6);

    let cold = Instant::now();
    let mut slowest = Duration::ZERO;
    for case in &cases {
        let one = Instant::now();
        read(&catalog, case);
        slowest = slowest.max(one.elapsed());
    }
    let cold = cold.elapsed();
    println!(
        "first pass, everything compiled on the way (256 templates kept): {:.0} ms, slowest case {:.1} ms, {:.0} MB",
        millis(cold),
        millis(slowest),
        resident() - before
    );
    println!(
        "all {} templates compiled for lines of their platform: {:.0} MB",
        library().len(),
        all(&cases)
    );
    // As parse_output does it: look up, parse, records. Each case twice, so that its template is there.
    let mut looked_up = Duration::ZERO;
    for case in &cases {
        read(&catalog, case);
        looked_up += best(3, || read(&catalog, case));
    }
    let (ours, kept) = engine(&catalog, &cases);
    println!(
        "our engine alone, warm: {:.0} ms, {:.1} MB/s; all templates of the cases kept: {kept:.0} MB",
        millis(ours),
        bytes as f64 / 1e6 / ours.as_secs_f64()
    );
    println!("look-up and records too: {:.0} ms", millis(looked_up));
    shapes();
    match python(&cases) {
        Some([parse, quick, output]) => {
            println!(
                "Python, ParseText on warm templates: {:.0} ms: {:.0} times ours",
                parse,
                parse / millis(ours)
            );
            println!(
                "the same without cases over half a second: {:.0} ms: {:.0} times ours",
                quick,
                quick / millis(ours)
            );
            println!(
                "Python, parse_output: {:.0} ms: {:.0} times ours",
                output,
                output / millis(looked_up)
            );
        }
        None => println!("no Python with {}", PACKAGES.join(" and ")),
    }
}

fn read(catalog: &Catalog, case: &Case) {
    let reading = catalog.read(&case.os, &case.command, None, &case.text, false, &|| false);
    assert!(reading.parser.is_some(), "{} {}", case.platform, case.command);
}

/// The parse alone, and what all templates take, in MB.
fn engine(catalog: &Catalog, cases: &[Case]) -> (Duration, f64) {
    let library = library();
    let before = resident();
    let mut templates = std::collections::HashMap::new();
    let mut all = Duration::ZERO;
    for case in cases {
        let names = catalog.parser_of(&case.os, &case.command, None).unwrap().template.unwrap();
        for name in names.split(':') {
            let template = templates
                .entry(name.to_owned())
                .or_insert_with(|| Template::parse(&library[name]).unwrap());
            let read = || drop(template.read(&case.text, &Limits::default(), &|| false, None));
            read();
            all += best(ROUNDS, read);
        }
    }
    (all, resident() - before)
}

/// What all templates of the library take when each has been run, in MB.
fn all(cases: &[Case]) -> f64 {
    let library = library();
    let before = resident();
    let kept: Vec<Template> = library
        .iter()
        .map(|(name, text)| {
            let template = Template::parse(text).unwrap();
            let of_platform =
                cases.iter().filter(|case| name.starts_with(&format!("{}_", case.platform)));
            for case in of_platform.take(3) {
                let _ = template.read(&case.text, &Limits::default(), &|| false, None);
            }
            template
        })
        .collect();
    let taken = resident() - before;
    drop(kept);
    taken
}

/// 5 MB of several shapes through one template.
fn shapes() {
    let template = "Value A (\\S+)\nValue B (\\d+)\nValue List C (\\w+)\n\nStart\n ^\\s*$$\n ^${A}\\s+${B}\\s*$$ -> Record\n ^\\s+${C}(\\s+\\w+)*$$ -> Continue\n ^.*(x+x+)+y\n";
    let template = Template::parse(template).unwrap();
    for (name, unit) in [
        ("line ends", "\n"),
        ("blanks", " \n"),
        ("records", "name 42\n"),
        ("long lines", "x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x\n"),
        ("not ASCII", "ä ö 4\n"),
    ] {
        let text = unit.repeat((5 << 20) / unit.len());
        let limits = Limits { most_rows: usize::MAX, ..Limits::default() };
        let took = best(1, || drop(template.read(&text, &limits, &|| false, None)));
        println!("5 MB of {name}: {:.0} ms", millis(took));
    }
}

fn best(rounds: usize, mut run: impl FnMut()) -> Duration {
    (0..rounds)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Memory of this process, in MB.
fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1e6
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn cases(corpus: &Path) -> Vec<Case> {
    let registry = Registry::embedded().unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut cases = Vec::new();
    for folder in inside(corpus).iter().filter(|path| path.is_dir()) {
        let platform = name(folder);
        for command in inside(folder) {
            for raw in inside(&command)
                .iter()
                .filter(|path| path.extension().is_some_and(|kind| kind == "raw"))
            {
                cases.push(Case {
                    os: Os::new(&platform, registry.find(&platform)),
                    platform: platform.clone(),
                    command: name(&command).replace('_', " "),
                    text: String::from_utf8_lossy(&fs::read(raw).unwrap()).into_owned(),
                });
            }
        }
    }
    cases
}

fn library() -> std::collections::HashMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates");
    let package =
        inside(&folder).into_iter().find(|path| path.extension().is_some_and(|kind| kind == "whl"));
    let mut archive = zip::ZipArchive::new(fs::File::open(package.unwrap()).unwrap()).unwrap();
    let mut templates = std::collections::HashMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().rsplit('/').next().unwrap().to_owned();
        if name.ends_with(".textfsm") {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut file, &mut text).unwrap();
            templates.insert(name, text);
        }
    }
    templates
}

/// Milliseconds of Python for all cases: the parse alone, without what takes it over half a second, and `parse_output`.
fn python(cases: &[Case]) -> Option<[f64; 3]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-python");
    let python = folder.join("bin/python");
    let quiet = |command: &mut Command| {
        command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let ready = || {
        quiet(
            Command::new(&python)
                .args(["-c", "import ntc_templates, textfsm"])
                .stderr(Stdio::null()),
        )
    };
    if !ready() {
        quiet(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        quiet(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    }
    if !ready() {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parsing_reference.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let list: Vec<Value> = cases
        .iter()
        .map(|case| json!({"platform": case.platform, "command": case.command, "text": case.text}))
        .collect();
    child.stdin.take()?.write_all(Value::from(list).to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let times: Value = serde_json::from_slice(&output.stdout).ok()?;
    let time = |name: &str| times[name].as_f64();
    Some([time("parse_text")?, time("parse_text_quick")?, time("parse_output")?])
}
