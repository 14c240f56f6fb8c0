//! Templates that Python's library refuses are refused, with the line.

use super::Template;

const HEAD: &str = "Value A (\\S+)\nValue List B (\\d+)\n\n";

fn refusal(text: &str) -> String {
    Template::parse(text).unwrap_err().to_string()
}

#[test]
fn what_python_refuses_is_refused_with_line_and_reason() {
    let cases = [
        ("", "line 0: there is no state `Start`"),
        ("Start\n ^a\n", "line 1: no Value definitions found"),
        ("Value A (a)\nStart\n ^a\n", "line 2: expected a blank line after the last Value"),
        ("Value A\n", "line 1: expected a name and an expression"),
        ("Value Filldown A\n", "line 1: the expression of `A` must stand in ( )"),
        ("Value Bogus A (a)\n", "line 1: unknown option `Bogus`"),
        ("Value List,List A (a)\n", "line 1: duplicate option `List`"),
        ("Value A (a)\nValue A (b)\n", "line 2: duplicate declaration of `A`"),
        ("Value A (a\n", "line 1: the expression of `A` must stand in ( )"),
        ("Value A (a\\)\n", "line 1: the expression of `A` must stand in ( )"),
        ("Value A (a))\n", "line 1: the expression of `A`: unbalanced parenthesis at character 4"),
        ("Value A ([z-a])\n", "line 1: the expression of `A`: bad character range at character 6"),
        ("{H}Start Two\n ^a\n", "line 4: invalid state name `Start Two`"),
        ("{H}\u{903}x\n ^a\n", "line 4: invalid state name `\u{903}x`"),
        ("{H}Record\n ^a\n", "line 4: invalid state name `Record`"),
        ("{H} ^a\n", "line 4: invalid state name ` ^a`"),
        ("{H}Start\n\nStart\n", "line 6: duplicate state name `Start`"),
        ("{H}Other\n ^a\n", "line 5: there is no state `Start`"),
        ("{H}Start\n^a\n", "line 5: a rule begins with one or two blanks (or a tab) and `^`"),
        ("{H}Start\n   ^a\n", "line 5: a rule begins with one or two blanks (or a tab) and `^`"),
        ("{H}Start\n a\n", "line 5: a rule begins with one or two blanks (or a tab) and `^`"),
        ("{H}Start\n ^$x\n", "line 5: there is no value `x`"),
        ("{H}Start\n ^${NO}\n", "line 5: there is no value `NO`"),
        ("{H}Start\n ^a$\n", "line 5: a dollar that begins no ${NAME}; the end of a line is $$"),
        ("{H}Start\n ^${A\n", "line 5: a dollar that begins no ${NAME}; the end of a line is $$"),
        ("{H}Start\n ^${1A}\n", "line 5: a dollar that begins no ${NAME}; the end of a line is $$"),
        (
            "{H}Start\n ^${A}${A}\n",
            "line 5: the expression: redefinition of a group's name at character 18",
        ),
        (
            "{H}Start\n ^(\n",
            "line 5: the expression: missing ), unterminated subpattern at character 3",
        ),
        ("{H}Start\n ^a -> Continue Start\n", "line 5: Continue with a new state"),
        ("{H}Start\n ^a -> Foo.Bar\n", "line 5: badly formatted action"),
        ("{H}Start\n ^a -> Next.Foo\n", "line 5: badly formatted action"),
        ("{H}Start\n ^a -> Record.Next\n", "line 5: badly formatted action"),
        ("{H}Start\n ^a -> Next Start Start\n", "line 5: badly formatted action"),
        ("{H}Start\n ^a ->Next\n", "line 5: badly formatted action"),
        ("{H}Start\n ^a -> \"text\"\n", "line 5: a message without Error"),
        ("{H}Start\n ^a -> Nowhere\n", "line 5: there is no state `Nowhere`"),
        ("{H}Start\n ^a -> Next Record\n", "line 5: there is no state `Record`"),
        ("{H}Start\n ^a\n\nEnd\n ^a\n", "line 8: state `End` must be empty"),
        ("{H}Start\n ^a\n\nEOF\n ^a\n", "line 8: state `EOF` must be empty"),
    ];
    for (text, want) in cases {
        assert_eq!(refusal(&text.replace("{H}", HEAD)), want, "{text:?}");
    }
    let long = "A".repeat(49);
    let long_value = format!("Value {long} (a)\n");
    assert!(refusal(&long_value).contains("longer than 48 characters"));
    assert!(refusal(&format!("{HEAD}{long}\n ^a\n")).contains("invalid state name"));
    // Small as it is written, not as it is meant.
    let swollen = format!("Value A ({})\n\nStart\n{}", "a".repeat(9_000), " ^${A}\n".repeat(500));
    assert_eq!(
        refusal(&swollen),
        "line 469: all expressions together have more than 4194304 bytes"
    );
}

#[test]
fn what_python_takes_is_taken() {
    for text in [
        "# note\nValue A (a)\n  # note\nValue Required,Filldown B (b)\n\n\n# note\nStart\n ^${A} -> Record\n # note\n\t^$B\n",
        "Value A (a)\r\n\r\nStart\r\n ^${A}\r\n",
        "Value A (a)\n\nStart\n ^a -> Error\n ^b -> Error.Record\n ^c -> Error \"a text\"\n ^d -> Error word",
        "Value A (a)\n\nStart\n ^a -> Next.Record Two\n ^b -> Two\n ^c -> Record Two\n ^d -> End\n ^e -> EOF\n\nTwo\n\nEnd\n\nEOF\n",
        "Value A (a)\n\nStart\n ^x -> y -> Record\n ^\\$$ -> Clearall\n ^-> -> Continue.Clear\n",
        "\nStart\n ^a$\n",
        "Value A (a)\n\nStart\n ^a(?P<free>b)\n",
        // What Python takes for a blank.
        "Value A (a)\n\u{1c}\nStart\u{1f}\n\t^${A}\u{1d}->\u{1e}Record\u{1c}\n\u{1c}\u{a0}# note\n",
        "Value A (a)\n\nStart\nTwo\n".replace("Start\nTwo", "Start\n\nTwo").as_str(),
    ] {
        Template::parse(text).unwrap();
    }
}
