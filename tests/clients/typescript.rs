//! Types made of the document for TypeScript, and programs that use them.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{Demo, bare, good, is_here, made_once, quiet, script, skip};

/// What the programs of these tests have.
const PACKAGES: [&str; 4] = [
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@20.19.25",
];
/// Fields that have a default may be left out; without this the types ask for all of them.
const DEFAULTS_ARE_OPTIONAL: &str = "--default-non-nullable=false";
/// Everything that the compiler can find fault with, in the types too.
const CHECKS: &str = "--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --noUnusedLocals --target es2022 \
                      --module es2022 --moduleResolution bundler --types node";

/// A folder with the packages, made once in the build folder; `None` where it cannot be made.
fn packages() -> Option<PathBuf> {
    if !is_here("node") || !is_here("npm") {
        return None;
    }
    made_once("clients-node", &PACKAGES, |folder| {
        let package =
            fs::write(folder.join("package.json"), r#"{"private": true, "type": "module"}"#);
        let install = [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--fetch-retries=1",
        ];
        package.is_ok()
            && quiet(Command::new("npm").args(install).args(PACKAGES).current_dir(folder))
    })
}

/// Compiles a program against the types made of the document, runs it, and gives what it prints; `None` without the packages.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let packages = packages()?;
    let folder = tempfile::tempdir_in(&packages).unwrap();
    let of_packages = |name: &str| Command::new(packages.join("node_modules/.bin").join(name));
    fs::write(folder.path().join("openapi.json"), good(&bare().arg("openapi").output().unwrap()))
        .unwrap();
    let types = ["openapi.json", "-o", "showrunner.d.ts", DEFAULTS_ARE_OPTIONAL];
    good(&of_packages("openapi-typescript").args(types).current_dir(&folder).output().unwrap());
    fs::write(folder.path().join("program.ts"), program).unwrap();
    let mut compile = of_packages("tsc");
    compile.args(CHECKS.split_whitespace()).arg("program.ts").current_dir(&folder);
    good(&compile.output().unwrap());
    let mut node = Command::new("node");
    node.arg("program.js").args(arguments).current_dir(&folder);
    Some(good(&node.output().unwrap()))
}

#[test]
fn a_program_with_types_made_of_the_document_reads_a_device() {
    const NAME: &str = "a_program_with_types_made_of_the_document_reads_a_device";
    let demo = Demo::start();
    let program = fs::read_to_string(script("generated_client.ts")).unwrap();
    let Some(printed) = run(&program, &[&demo.url, &demo.first_port.to_string()]) else {
        return skip(NAME, "no node with npm");
    };
    let want = "edge1 uptime is 12 weeks, 3 days, 4 hours, 5 minutes\n\ncli_error\n\
                body.commands.0 /api/v1/errors/invalid_request\nrequest 422\n\
                command 0\ncommand 0\ndevice 0\nsummary 0\n";
    assert_eq!(printed, want);
}
