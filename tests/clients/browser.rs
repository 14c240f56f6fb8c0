//! Swagger UI in a real browser that has no other network than the service.

use std::{path::Path, process::Command};

use crate::support::{Demo, good, is_here, python, script, skip};

#[test]
fn in_a_browser_the_first_example_reads_a_device() {
    const NAME: &str = "in_a_browser_the_first_example_reads_a_device";
    let Some(browser) =
        ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| is_here(name))
    else {
        return skip(NAME, "no chromium");
    };
    let Some(python) = python() else { return skip(NAME, "no python3 with pip") };
    let demo = Demo::start();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let output = Command::new(python)
        .arg(script("swagger_ui.py"))
        .args([browser, &demo.url])
        .arg(folder)
        .output()
        .unwrap();
    let printed = good(&output);
    assert!(printed.contains("edge1 uptime is"), "{printed}");
}
