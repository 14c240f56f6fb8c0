//! The commands of the documentation, run as they stand there.
//!
//! Blocks of `sh`, `python` and `ts` and playbooks are run; a block of `text` behind one is what it prints, among other things. What
//! cannot be run here has a comment before it that says why.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::{
    support::{Demo, bare, good, is_here, python, skip, text},
    typescript,
};

const NOT_RUN: &str = "<!-- not run here: ";

/// A fenced block.
struct Block {
    line: usize,
    language: String,
    text: String,
    is_run: bool,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut before) = (Vec::new(), None::<Block>, "");
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let is_run = !before.starts_with(NOT_RUN);
                let language = language.to_owned();
                open = Some(Block { line: index + 1, language, text: String::new(), is_run });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
        if !line.is_empty() {
            before = line;
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

/// Runs a document's blocks against a demo; gives how many were run.
fn run(document: &str) -> usize {
    let demo = Demo::start();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_showrunner"), bin.join("showrunner")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let blocks = blocks(&fs::read_to_string(root.join(document)).unwrap());
    let mut n_run = 0;
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.is_run) {
        let text_of = demo.meant(&block.text);
        let mut command = match block.language.as_str() {
            "sh" => {
                let mut command = Command::new("bash");
                command.args(["-euo", "pipefail", "-c", &text_of]);
                command
            }
            "python" => {
                let Some(python) = python() else { continue };
                let mut command = Command::new(python);
                command.args(["-c", &text_of]);
                command
            }
            "yaml" if block.text.contains("ansible.builtin") => {
                let Some(python) = python() else { continue };
                let play = folder.path().join("play.yaml");
                fs::write(&play, text_of).unwrap();
                let mut command = Command::new(python.with_file_name("ansible-playbook"));
                command.arg(play).env("ANSIBLE_HOME", folder.path()).env("LC_ALL", "C.UTF-8");
                command
            }
            "ts" => {
                let Some(printed) = typescript::run(&text_of, &[]) else { continue };
                let mut command = Command::new("echo");
                command.arg(printed);
                command
            }
            _ => continue,
        };
        let output: Output = command.env("PATH", &path).current_dir(&folder).output().unwrap();
        let printed = text(&output.stdout);
        let place = format!("{document}:{}", block.line);
        assert!(output.status.success(), "{place}: {printed}\n{}", text(&output.stderr));
        if let Some(next) = blocks.get(index + 1).filter(|next| next.language == "text") {
            for line in demo.meant(&next.text).lines() {
                assert!(printed.contains(line), "{place} should print {line:?}: {printed}");
            }
        }
        n_run += 1;
    }
    n_run
}

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    const NAME: &str = "the_commands_of_the_documentation_do_what_it_says";
    let needed = ["bash", "curl", "jq", "ssh-keygen"];
    if let Some(missing) = needed.into_iter().find(|program| !is_here(program)) {
        return skip(NAME, &format!("no {missing}"));
    }
    if python().is_none() {
        skip(&format!("{NAME} (Python, Ansible)"), "no python3 with pip");
    }
    for (document, least) in [
        ("README.md", 1),
        ("docs/getting-started.md", 4),
        ("docs/command-line.md", 5),
        ("docs/api.md", 9),
        ("docs/parsing.md", 1),
    ] {
        let n_run = run(document);
        assert!(n_run >= least, "{document}: only {n_run} blocks were run");
    }
}

#[test]
fn the_readme_lists_every_platform() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let platforms = good(&bare().args(["platforms", "-o", "csv"]).output().unwrap());
    let names: Vec<&str> =
        platforms.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let lacking: Vec<_> =
        names.iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
    assert!(readme.contains(&format!("{} in all", names.len())));
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    let inside = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(inside.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    let mut lost = Vec::new();
    for document in documents {
        for link in fs::read_to_string(&document).unwrap().split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            let is_file = !link.is_empty() && !link.contains("://") && !link.contains(' ');
            if is_file && !document.parent().unwrap().join(link).exists() {
                lost.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:?}");
}
