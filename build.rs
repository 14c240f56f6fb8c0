//! Packs the library of templates into the program where `make templates` has fetched it.

use std::{env, fs, path::Path};

/// The folder with the pinned version and the fetched package.
const FOLDER: &str = "deploy/templates";

fn main() {
    println!("cargo:rerun-if-changed={FOLDER}");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join(FOLDER);
    let pin = fs::read_to_string(folder.join("requirements.txt")).unwrap_or_default();
    let version = pin.split_whitespace().find_map(|word| word.strip_prefix("ntc-templates=="));
    let package =
        version.map(|version| folder.join(format!("ntc_templates-{version}-py3-none-any.whl")));
    // A copy: build folders are moved and shared, and the package stays behind then.
    let code = match package.filter(|package| package.is_file()) {
        Some(package) => {
            let bytes = fs::read(package).expect("the package can be read");
            fs::write(Path::new(&out).join("library.whl"), bytes).expect("the package is copied");
            "Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/library.whl\")))"
        }
        None => "None",
    };
    fs::write(Path::new(&out).join("library.rs"), code).expect("the build folder can be written");
}
