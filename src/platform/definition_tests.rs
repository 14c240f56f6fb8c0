//! What the loader and the registry refuse, and that they say where and why.

use std::fs;

use super::{DefinitionError, Platform, Registry};

/// The smallest sound definition; its lines are numbered in the cases below.
const SOUND: &str = "\
name = \"acme_os\"
title = \"Acme OS\"
aliases = [\"acme\"]
ntc = \"acme_os\"

[[prompt.operational]]
mode = \"privileged\"
pattern = '(?P<name>\\w+)#'
[[prompt.forbidden]]
what = \"configuration\"
pattern = '.*\\(config\\)#'

[login]
username_prompt = 'User:'
[[login.dialog]]
expect = 'Accept\\?'
answer = \"y\\n\"

[enable]
command = \"enable\"
password_prompt = 'Password:'

[session]
prepare = [
    \"terminal length 0\",
    \"terminal width 511\",
]
logout = \"exit\"

[pager]
markers = ['--More--']
key = \" \"

[errors]
markers = ['% Bad']
";

fn fault(text: &str) -> String {
    match Platform::from_toml(text, "acme_os.toml") {
        Ok(_) => "sound".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_sound_definition_is_taken() {
    assert_eq!(fault(SOUND), "sound");
    let with_reads = format!(
        "{SOUND}\n[commands]\nverbs = [{{ word = \"show\" }}]\n[[filter]]\nword = \"include\"\n"
    );
    assert_eq!(fault(&with_reads), "sound");
}

#[test]
fn every_fault_is_reported_with_file_line_and_reason() {
    let cases = [
        ("title = \"Acme OS\"", "titel = \"Acme OS\"", "acme_os.toml:2: unknown field `titel`"),
        ("title = \"Acme OS\"", "title = \" \"", "acme_os.toml:2: `title` must not be empty"),
        ("title = \"Acme OS\"\n", "", "acme_os.toml:1: missing field `title`"),
        ("\"acme_os\"\ntitle", "\"Acme OS\"\ntitle", "acme_os.toml:1: `Acme OS` is no name"),
        ("[\"acme\"]", "[\"acme\", \"ac-me\"]", "acme_os.toml:3: `ac-me` is no name"),
        (
            "[\"acme\"]",
            "[\"acme\",\n\"b\",\n\"acme\"]",
            "acme_os.toml:5: the alias `acme` is there twice",
        ),
        ("[\"acme\"]", "[\"acme_os\"]", "acme_os.toml:3: the alias `acme_os` is there twice"),
        ("[\"acme\"]", "[\"acme\"", "acme_os.toml:4: "),
        ("ntc = \"acme_os\"", "ntc = \"\"", "acme_os.toml:4: `` is no name"),
        (
            "\"privileged\"",
            "\"root\"",
            "acme_os.toml:7: unknown variant `root`, expected `user` or `privileged`",
        ),
        ("\"configuration\"", "\"config\"", "acme_os.toml:10: unknown variant `config`"),
        (
            "\\w+)#'",
            "\\w+#'",
            "acme_os.toml:8: the pattern `(?P<name>\\w+#` is no regular expression: unclosed group",
        ),
        (
            "(?P<name>\\w+)#",
            "a)|(?:b",
            "acme_os.toml:8: the pattern `a)|(?:b` is no regular expression",
        ),
        ("(?P<name>\\w+)#", "\\w*#?", "acme_os.toml:8: the pattern `\\w*#?` matches an empty line"),
        ("\\(config\\)#", "(", "acme_os.toml:11: the pattern `.*(` is no regular expression"),
        ("'User:'", "'*'", "acme_os.toml:14: the pattern `*` is no regular expression"),
        ("'Accept\\?'", "''", "acme_os.toml:16: the pattern `` matches an empty line"),
        ("\"y\\n\"", "\"y\\u0003\"", "acme_os.toml:17: an answer holds more than"),
        ("\"y\\n\"", "\"\"", "acme_os.toml:17: an answer holds more than"),
        ("\"enable\"", "\"configure\"", "acme_os.toml:20: a line to send begins with a word that"),
        ("'Password:'", "'['", "acme_os.toml:21: the pattern `[` is no regular expression"),
        (
            "'Password:'",
            "'Password:'\nusername_prompt = '('",
            "acme_os.toml:22: the pattern `(` is no regular expression",
        ),
        (
            "\"terminal width 511\"",
            "\"conf t\"",
            "acme_os.toml:26: a line to send begins with a word that configures, writes or leaves the CLI: `conf t`",
        ),
        (
            "\"terminal width 511\"",
            "\"a\\rreload\"",
            "acme_os.toml:26: a line to send holds a character that is not printable ASCII: `a\\rreload`",
        ),
        ("\"terminal width 511\"", "\" \"", "acme_os.toml:26: a line to send is empty"),
        (
            "\"terminal width 511\"",
            "\"größe\"",
            "acme_os.toml:26: a line to send holds a character",
        ),
        ("logout = \"exit\"", "logout = \"save\"", "acme_os.toml:28: a line to send begins"),
        (
            "logout = \"exit\"",
            "logout = \"exit\"\nline_end = \"x\"",
            "acme_os.toml:29: unknown variant `x`",
        ),
        (
            "logout = \"exit\"",
            "logout = \"exit\"\nprepares = []",
            "acme_os.toml:29: unknown field `prepares`",
        ),
        ("['--More--']", "['.*']", "acme_os.toml:31: the pattern `.*` matches an empty line"),
        ("key = \" \"", "key = \"\\u0001\"", "acme_os.toml:32: an answer holds more than"),
        (
            "key = \" \"",
            "key = \" \"\n[[pager.dialog]]\nexpect = '.*'\nanswer = \"y\"",
            "acme_os.toml:34: the pattern `.*` matches an empty line",
        ),
        (
            "key = \" \"",
            "key = \" \"\n[[pager.dialog]]\nexpect = 'More'\nanswer = \"\"",
            "acme_os.toml:35: an answer holds more than",
        ),
        (
            "['% Bad']",
            "['% Bad',\n'(']",
            "acme_os.toml:36: the pattern `(` is no regular expression",
        ),
        (
            "['% Bad']",
            "['% Bad']\nfirst_lines = 0",
            "acme_os.toml:36: `first_lines` must not be empty",
        ),
    ];
    for (sound, broken, want) in cases {
        assert!(SOUND.contains(sound), "{sound}");
        let found = fault(&SOUND.replacen(sound, broken, 1));
        assert!(found.starts_with(want), "{broken:?}\n gives {found}\n  not {want}");
    }
}

#[test]
fn what_is_to_be_refused_must_have_an_effect_and_no_word_may_write() {
    for (behind, want) in [
        (
            "[commands]\nverbs = []\nnever = [\"a ** b ** c\"]\n",
            "acme_os.toml:38: what is never read is a word, `-c`",
        ),
        (
            "[[filter]]\nword = \"utility Tee\"\n",
            "acme_os.toml:37: the filter `utility Tee` writes somewhere",
        ),
        (
            "[commands]\nverbs = [{ word = \"bash\" }]\n",
            "acme_os.toml:37: the verb `bash` is a program's name",
        ),
        (
            "[commands]\nverbs = []\nprefixes = [\"admin\", \"sh\"]\n",
            "acme_os.toml:38: the prefix `sh` is a program's name",
        ),
    ] {
        let found = fault(&format!("{SOUND}{behind}"));
        assert!(found.starts_with(want), "{behind:?}\n gives {found}\n  not {want}");
    }
}

#[test]
fn a_definition_without_an_operational_prompt_is_refused() {
    let text = SOUND.replacen(
        "[[prompt.operational]]\nmode = \"privileged\"\npattern = '(?P<name>\\w+)#'\n",
        "",
        1,
    );
    assert!(fault(&text).contains("missing field `operational`"), "{}", fault(&text));
    let text = text.replacen(
        "[[prompt.forbidden]]",
        "[prompt]\noperational = []\n[[prompt.forbidden]]",
        1,
    );
    assert_eq!(fault(&text), "acme_os.toml:7: there is no operational prompt");
}

#[test]
fn no_line_that_writes_is_ever_prepared() {
    let writing = [
        "configure",
        "configure terminal",
        "conf t",
        "c",
        "config system console",
        "CONF T",
        " conf t",
        "config paging disable",
        "system-view",
        "sys",
        "edit",
        "commit",
        "comm",
        "write",
        "wr mem",
        "w",
        "save",
        "sa force",
        "copy run start",
        "cop a b",
        "/configure",
        "reload",
        "erase nvram",
        "delete x",
        "modify cli preference pager disabled",
        "bash",
        "expert",
        "sudo -s",
        "reset saved",
        "request system reboot",
        "install x",
    ];
    for line in writing {
        let text = SOUND.replacen("terminal width 511", line, 1);
        assert!(fault(&text).contains("begins with a word that"), "{line}: {}", fault(&text));
    }
    let reading = [
        "terminal length 0",
        "screen-length 0 temporary",
        "set cli screen-length 0",
        "no page",
        "system shell session set more off",
        "environment no more",
        "scroll",
        "skip-page-display",
        "undo smart",
        "paginate false",
        "disable clipaging session",
        "no paging",
    ];
    for line in reading {
        assert_eq!(fault(&SOUND.replacen("terminal width 511", line, 1)), "sound", "{line}");
    }
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_folder_adds_platforms_and_replaces_embedded_ones() {
    let ios = SOUND.replace("acme_os", "cisco_ios").replace("Acme OS", "Our IOS");
    let folder = folder_with(&[
        ("cisco_ios.toml", &ios),
        ("acme_os.toml", &SOUND.replace("\"acme\"", "\"acme_ng\"")),
        (".acme_os.toml", "half written"),
        ("README.md", "no definition"),
    ]);
    let before = Registry::embedded().unwrap().iter().count();
    let registry = Registry::embedded().unwrap().with_folder(folder.path()).unwrap();
    assert_eq!(registry.iter().count(), before + 1);
    assert_eq!(registry.find("cisco_ios").unwrap().title(), "Our IOS");
    assert_eq!(registry.find("acme").unwrap().name(), "cisco_ios");
    assert_eq!(registry.find("ACME-NG").unwrap().name(), "acme_os");
    // The replaced platform took its aliases along.
    assert!(registry.find("ios").is_none());
    let names: Vec<_> = registry.iter().map(|platform| platform.name()).collect();
    assert!(names.is_sorted());
}

#[test]
fn a_folder_with_a_fault_is_refused_with_the_file_and_line() {
    let load = |files: &[(&str, &str)]| {
        let folder = folder_with(files);
        let error = Registry::embedded().unwrap().with_folder(folder.path()).unwrap_err();
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(
        load(&[("other.toml", SOUND)]),
        "other.toml:1: the name `acme_os` is not the file's: `other`"
    );
    assert_eq!(
        load(&[("acme_os.toml", &SOUND.replace("\"acme\"", "\"ios\""))]),
        "definitions/cisco_ios.toml: the name `ios` already belongs to acme_os.toml"
    );
    assert_eq!(
        load(&[("acme_os.toml", SOUND), ("b.toml", &SOUND.replace("\"acme_os\"", "\"b\""))]),
        "b.toml: the name `acme` already belongs to acme_os.toml"
    );
    assert!(load(&[("acme_os.toml", "name = ")]).starts_with("acme_os.toml:1: "));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap().path().join("gone");
    let error = Registry::embedded().unwrap().with_folder(&folder).unwrap_err();
    assert!(matches!(error, DefinitionError::Unreadable { .. }));
    assert!(error.to_string().starts_with(&folder.display().to_string()));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_known_ones() {
    let registry = Registry::embedded().unwrap();
    let cases = [
        ("cisco_ioss", "cisco_ios"),
        ("jnuos", "junos"),
        ("aristaeos", "arista_eos"),
        ("nx-oss", "nxos"),
        ("mikrotick", "mikrotik"),
        ("huawei_vpr", "huawei_vrp"),
    ];
    for (asked, want) in cases {
        let near = registry.nearest(asked);
        assert!(near.len() <= 3);
        assert!(near.contains(&want), "{asked}: {near:?}");
    }
    assert!(registry.nearest("").is_empty());
    assert!(registry.nearest("qqqqqqqq").is_empty());
    let mut platforms: Vec<_> =
        registry.nearest("cisco").iter().map(|name| registry.find(name).unwrap().name()).collect();
    let found = platforms.len();
    platforms.dedup();
    assert_eq!(platforms.len(), found);
}

#[test]
fn the_example_in_the_documents_is_a_definition() {
    let document = include_str!("../../docs/platforms.md");
    let (_, behind) = document.split_once("```toml\n").unwrap();
    let (example, _) = behind.split_once("```").unwrap();
    let platform = Platform::from_toml(example, "docs/platforms.md").unwrap();
    assert_eq!((platform.name(), platform.session().prepare.len()), ("acme_os", 1));
    assert!(platform.prompts().classify("lab-1#") != platform.prompts().classify("lab-1(config)#"));
}
