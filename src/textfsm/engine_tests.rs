//! What rules and options do, each as Python's library does it.

use std::time::{Duration, Instant};

use super::{Cell, Item, Limits, ParseError, Table, Template};

fn read(template: &str, text: &str) -> Result<Table, ParseError> {
    Template::parse(template).unwrap().read(text, &Limits::default(), &|| false, None)
}

/// Rows as `a,b|c,d`, lists in brackets.
fn rows(template: &str, text: &str) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::List(items) => {
            let items: Vec<_> = items.iter().map(|item| item.text().unwrap_or("{}")).collect();
            format!("[{}]", items.join(" "))
        }
    };
    let row = |row: &Vec<Cell>| row.iter().map(cell).collect::<Vec<_>>().join(",");
    read(template, text).unwrap().rows.iter().map(row).collect::<Vec<_>>().join("|")
}

/// Name, template, text, rows.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("one row a line", "Value A (\\S+)\n\nStart\n ^${A} -> Record\n", "x\ny\n", "x|y"),
    ("a row of its own accord at the end", "Value A (\\S+)\n\nStart\n ^${A}\n", "x\ny\n", "y"),
    ("no row at the end with an EOF state", "Value A (\\S+)\n\nStart\n ^${A}\n\nEOF\n", "x\n", ""),
    ("no row at the end behind End", "Value A (\\S+)\n\nStart\n ^${A} -> End\n", "x\ny", ""),
    ("EOF ends with a row", "Value A (\\S+)\n\nStart\n ^${A} -> EOF\n", "x\ny", "x"),
    (
        "the first rule that matches wins",
        "Value A (x)\nValue B (x)\n\nStart\n ^${A} -> Record\n ^${B} -> Record\n",
        "x",
        "x,",
    ),
    (
        "Continue goes on with the same line",
        "Value A (x)\nValue B (x)\n\nStart\n ^${A} -> Continue\n ^${B} -> Record\n",
        "x",
        "x,x",
    ),
    (
        "Continue.Record records in between",
        "Value A (\\w)\n\nStart\n ^${A} -> Continue.Record\n ^.${A} -> Record\n",
        "xy",
        "x|y",
    ),
    (
        "a state is left and taken up",
        "Value A (\\w)\n\nStart\n ^go -> Two\n\nTwo\n ^${A} -> Record Start\n",
        "a\ngo\nb\nc",
        "b",
    ),
    (
        "an empty row is none",
        "Value A (\\w)\n\nStart\n ^- -> Record\n ^${A} -> Record\n",
        "-\nx\n-",
        "x",
    ),
    ("a matched nothing is something", "Value A (\\w*)\n\nStart\n ^-${A} -> Record\n", "-\n", ""),
    (
        "Required drops and clears",
        "Value Required A (a)\nValue B (\\d)\n\nStart\n ^${B} -> Record\n ^${A} -> Record\n",
        "1\na\n",
        "a,",
    ),
    (
        "Filldown stays",
        "Value Filldown A (\\d)\nValue B ([a-z])\n\nStart\n ^${A}\n ^${B} -> Record\n",
        "1\na\nb\n2\nc",
        "1,a|1,b|2,c|2,",
    ),
    (
        "Filldown forgets at Clearall",
        "Value Filldown A (\\d)\nValue B ([a-z])\n\nStart\n ^${A}\n ^${B} -> Record\n ^- -> Clearall\n",
        "1\na\n-\nb",
        "1,a|,b",
    ),
    (
        "Clear keeps Filldown",
        "Value Filldown A (\\d)\nValue B ([a-z])\n\nStart\n ^${A}\n ^${B}\n ^- -> Clear\n",
        "1\na\n-\n",
        "1,",
    ),
    (
        "a group without part empties Filldown",
        "Value Filldown A (\\d)\nValue B ([a-z])\n\nStart\n ^(?:${A}|${B}) -> Record\n",
        "1\na",
        "1,|,a",
    ),
    (
        "Fillup goes up to the first that is filled",
        "Value A ([a-z])\nValue Fillup B (\\d)\n\nStart\n ^${A}${B} -> Record\n ^${A} -> Record\n",
        "a1\nb\nc2",
        "a,1|b,2|c,2",
    ),
    (
        "List collects",
        "Value List A (\\d)\nValue B ([a-z])\n\nStart\n ^${A}\n ^${B} -> Record\n",
        "1\n2\na\nb",
        "[1 2],a|[],b",
    ),
    (
        "List with Filldown keeps",
        "Value List,Filldown A (\\d)\nValue Required B ([a-z])\n\nStart\n ^${A}\n ^${B} -> Record\n",
        "1\na\n2\nb",
        "[1],a|[1 2],b",
    ),
    (
        "a list without part holds None",
        "Value List A (\\d)\nValue B ([a-z])\n\nStart\n ^(?:${A}|${B}) -> Record\n",
        "a",
        "[None],a",
    ),
    (
        "Required before List asks for the last one",
        "Value Required,List A (\\d*)\nValue B ([a-z])\n\nStart\n ^-${A}\n ^${B} -> Record\n",
        "-1\n-\na\n",
        "",
    ),
    (
        "List before Required asks for the list",
        "Value List,Required A (\\d*)\nValue B ([a-z])\n\nStart\n ^-${A}\n ^${B} -> Record\n",
        "-1\n-\na\n",
        "[1 ],a",
    ),
    ("matching begins at column 0", "Value A (b)\n\nStart\n ^a|${A} -> Record\n", "xb\nb", "b"),
    (
        "the blank before the arrow's blank belongs to the rule",
        "Value A (\\w)\n\nStart\n ^${A}  -> Record\n",
        "a\nb ",
        "b",
    ),
    (
        "a free group fills nothing",
        "Value A (\\w)\n\nStart\n ^(?P<other>\\d)${A} -> Record\n",
        "1a",
        "a",
    ),
    (
        "a group of a value's name fills it",
        "Value A (\\w)\n\nStart\n ^(?P<A>\\d) -> Record\n",
        "1",
        "1",
    ),
    (
        "lines end where Python's do",
        "Value A (\\S+)\n\nStart\n ^${A} -> Record\n",
        "a\u{b}b\u{85}c\r\nd",
        "a|b|c|d",
    ),
];

#[test]
fn rules_and_options_do_what_they_do_in_python() {
    for (name, template, text, want) in CASES {
        assert_eq!(rows(template, text), *want, "{name}");
    }
    let row = read("Value A (\\w*)\n\nStart\n ^-${A} -> Record\n", "-\n").unwrap().rows;
    assert_eq!(row, [[Cell::Text(String::new())]], "a matched nothing is a row");
}

#[test]
fn groups_inside_a_list_become_objects() {
    let template =
        "Value List A ((?P<name>\\w+)=(?P<age>\\d+)?)\n\nStart\n ^${A} -> Continue\n ^.*;${A}\n";
    let table = read(template, "bob=32;eve=\n").unwrap();
    let group = |name: &str, age: Option<&str>| {
        Item::Groups(vec![
            ("name".to_owned(), Some(name.to_owned())),
            ("age".to_owned(), age.map(str::to_owned)),
        ])
    };
    assert_eq!(table.rows, [[Cell::List(vec![group("bob", Some("32")), group("eve", None)])]]);
}

#[test]
fn the_templates_own_refusal_names_rule_line_and_text() {
    let template = "Value A (a)\n\nStart\n ^${A} -> Record\n ^b -> Error \"no b\"\n ^. -> Error\n";
    let error = read(template, "a\nb\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template does not know line 2 of the output: `b` (rule in line 5, which says \"no b\")"
    );
    let error = read(template, "a\n\ncéd\n").unwrap_err();
    assert!(!error.is_limit());
    assert_eq!(
        error.to_string(),
        "the template does not know line 3 of the output: `céd` (rule in line 6)"
    );
}

#[test]
fn every_bound_is_an_error_with_a_name() {
    let template = Template::parse("Value A (\\S)\n\nStart\n ^${A} -> Record\n").unwrap();
    let limits = Limits {
        most_bytes: 40,
        most_line_bytes: 10,
        most_rows: 3,
        most_cells: 100,
        most_row_bytes: 1000,
        most_backtracks: 100,
    };
    let read = |text: &str, late: bool| {
        let error = template.read(text, &limits, &|| late, None).unwrap_err();
        assert!(error.is_limit());
        error
    };
    assert_eq!(read(&"x".repeat(41), false), ParseError::InputSize { most: 40 });
    assert_eq!(read("a\nxxxxxxxxxxx", false), ParseError::LineLength { line: 2, most: 10 });
    assert_eq!(read("a\nb\nc\nd", false), ParseError::Rows { most: 3 });
    let limits = Limits { most_cells: 2, ..Limits::default() };
    let error = template.read("a\nb\nc", &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::Rows { most: 2 });
    let down = Template::parse("Value Filldown A (.*)\nValue Fillup B (x*)\n\nStart\n ^a${A} -> Record\n ^b -> Record\n ^${B} -> Continue\n").unwrap();
    let limits = Limits { most_row_bytes: 1000, ..Limits::default() };
    let text = format!("a{}\n", "y".repeat(100));
    assert!(down.read(&(text.clone() + &"b\n".repeat(6)), &limits, &|| false, None).is_ok());
    let error = down.read(&(text + &"b\n".repeat(20)), &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::RowBytes { most: 1000 });
    let named =
        Template::parse("Value LONG_NAME (\\S)\n\nStart\n ^${LONG_NAME} -> Record\n").unwrap();
    assert!(named.read(&"x\n".repeat(1000 / 16), &limits, &|| false, None).is_ok());
    let error = named.read(&"x\n".repeat(1000 / 16 + 1), &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::RowBytes { most: 1000 });
    let text = "a\n".to_owned() + &"aq\n".repeat(20) + &"x".repeat(60);
    let error = down.read(&text, &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::RowBytes { most: 1000 });
    let limits = Limits::default();
    let error = template.read(&"\n".repeat(200_000), &limits, &|| true, None).unwrap_err();
    assert!(matches!(error, ParseError::Time { .. }), "{error}");
    let looks = Template::parse("Value A (a)\n\nStart\n ^((a+)\\2?)+(?!x);${A}\n").unwrap();
    let error = looks.read(&"a".repeat(40), &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::Backtracks { rule: 4, line: 1 });
    let large = Template::parse("Value A (a)\n\nStart\n ^((x{500}){500}){500}${A}\n").unwrap();
    let error = large.read("x", &limits, &|| false, None).unwrap_err();
    assert_eq!(error, ParseError::PatternSize { state: "Start".to_owned() });
}

/// One search cannot be interrupted, so that its size is bounded; where the backtracking engine goes on without giving
/// anything up, the clock ends it.
#[test]
fn one_line_is_not_searched_for_longer_than_a_run_may_take() {
    let error = |rules: &str, text: &str, late: bool| {
        let template = format!(
            "Value A (a)\nValue List,Filldown L (\\S+)\nValue Required N (n)\n\nStart\n{rules}"
        );
        let template = Template::parse(&template).unwrap();
        template.read(text, &Limits::default(), &|| late, None).unwrap_err()
    };
    let line = ParseError::LineForRule { rule: 6, line: 1 };
    let nested = "[ab]{0,200}a[ab]{0,200}";
    for (rule, text, want) in [
        (format!(" ^(?:{nested}){{10}}c${{A}}\n"), "ab".repeat(100_000), line.clone()),
        (format!(" ^(?:{nested}){{10}}c(?=${{A}})\n"), "ab".repeat(100_000), line),
        (
            " ^(?:(?:[ab]?){1000}){200}${A}\n".to_owned(),
            "ab".to_owned(),
            ParseError::PatternSize { state: "Start".to_owned() },
        ),
    ] {
        assert_eq!(error(&rule, &text, false), want, "{rule}");
    }
    for (rule, text) in [
        (" ^(?:(?=.*x)a)*b\n", "a".repeat(200_000) + "x"),
        (" ^(?:a|b)*?(?>(?:(?=a*)a)*)y\n", "a".repeat(100_000)),
        (" ^(?:(?=(?:(?=.*x)a)*)a)*b\n", "a".repeat(50_000) + "x"),
    ] {
        assert_eq!(error(rule, &text, true), ParseError::Time { line: 1 }, "{rule}");
    }
    // A list that grows and is looked at again and again for a row that never is.
    let grows = " ^${L} -> Continue.Record\n";
    let late = error(grows, &"x\n".repeat(100_000), true);
    assert!(matches!(late, ParseError::Time { .. }), "{late}");
    let error = error(&" ^${L} -> Continue\n".repeat(100), &"x\n".repeat(100_000), false);
    assert_eq!(error, ParseError::RowBytes { most: 64 << 20 });
}

#[test]
fn what_all_automata_of_a_template_take_is_bounded() {
    let state = |n| format!("S{n}\n ^\\w{{300}}x\n ^. -> S{}\n\n", n + 1);
    let states = (0..300).map(state).collect::<Vec<_>>().concat();
    let text = format!("Value A (a)\n\nStart\n ^. -> S0\n\n{states}S300\n");
    let template = Template::parse(&text).unwrap();
    assert!(read(&text, &"x\n".repeat(400)).is_ok(), "lines of ASCII take little");
    let error = template.read(&"\u{e9}\n".repeat(400), &Limits::default(), &|| false, None);
    assert!(matches!(error, Err(ParseError::PatternSize { .. })), "{error:?}");
}

#[test]
fn a_list_whose_groups_took_no_part_fails_as_it_does_in_python() {
    let template = "Value List A ((a)b)\nValue B (c)\n\nStart\n ^(?:${A}|${B}) -> Record\n";
    let error = read(template, "ab\nc\n").unwrap_err();
    assert!(matches!(error, ParseError::ListWithoutGroup { rule: 5, line: 2, .. }), "{error}");
}

#[test]
fn what_makes_python_hang_is_answered_at_once() {
    let started = Instant::now();
    let template = "Value A (\\S+)\n\nStart\n ^(\\w+\\s?)+\\d${A}\n ^(a+)+b\n ^(\\s*\\S+\\s*)*;\n";
    assert_eq!(rows(template, &format!("{}\n", "aaaa ".repeat(200))), "");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn five_megabytes_of_any_shape_are_read_or_refused_in_bounded_time() {
    let template = Template::parse(
        "Value Required A (\\S+)\nValue B (\\d+)\nValue List C (\\w+)\n\nStart\n ^\\s*$$\n ^${A}\\s+${B}\\s*$$ -> Record\n \
         ^\\s+${C}(\\s+\\w+)*$$ -> Continue\n ^-+$$ -> Two\n\nTwo\n ^${A}: -> Record\n ^. -> Continue\n",
    )
    .unwrap();
    let size = 5 << 20;
    for (name, unit) in [
        ("line ends", "\n"),
        ("lines of one blank", " \n"),
        ("blanks in lines", "                                        \n"),
        ("records", "name 42\n"),
        ("lists", " one two three\n"),
        ("two states", "-----\nname: x\n"),
        ("letters beyond ASCII", "ä ö ü 4\n"),
        ("control characters", "\u{1b}[0m\u{0}\u{7}\n"),
        ("one line", "x"),
    ] {
        let text = unit.repeat(size / unit.len());
        let late = Instant::now() + Duration::from_secs(30);
        match template.read(&text, &Limits::default(), &|| Instant::now() > late, None) {
            Ok(_) | Err(ParseError::LineLength { .. } | ParseError::Rows { .. }) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn an_explanation_names_every_rule_that_matched() {
    let template =
        Template::parse("Value A (a)\n\nStart\n ^${A} -> Continue\n ^a -> Two\n\nTwo\n ^b\n")
            .unwrap();
    let mut steps = Vec::new();
    template.read("a\nb\nc", &Limits::default(), &|| false, Some(&mut steps)).unwrap();
    let steps: Vec<_> =
        steps.iter().map(|step| (step.line, step.state.as_str(), step.rule)).collect();
    assert_eq!(steps, [(1, "Start", 4), (1, "Start", 5), (2, "Two", 8)]);
}

#[test]
fn threads_share_a_template() {
    let template = Template::parse("Value A (\\w+)\n\nStart\n ^${A} -> Record\n").unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let template = &template;
                scope.spawn(move || {
                    let table = template.read(
                        &format!("line{n}\n").repeat(100),
                        &Limits::default(),
                        &|| false,
                        None,
                    );
                    table.unwrap().rows.len()
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 100);
        }
    });
}

mod properties {
    use proptest::prelude::*;

    use super::super::{Limits, Template};

    proptest! {
        #[test]
        fn no_text_makes_a_template_or_its_run_panic(
            rules in prop::collection::vec(r"[\^$. a-c{}A()\[\]*+?|\\>sdw-]{0,16}", 0..6),
            text in "[ -~\n\u{e9}\u{85}]{0,80}",
        ) {
            let mut template = "Value List,Filldown A (\\w+)\n\nStart\n".to_owned();
            for rule in &rules {
                template.push_str(" ^");
                template.push_str(rule);
                template.push_str(" -> Record\n");
            }
            if let Ok(template) = Template::parse(&template) {
                let limits = Limits { most_backtracks: 1000, ..Limits::default() };
                let _ = template.read(&text, &limits, &|| false, None);
            }
        }
    }
}
