//! The same bytes in any two cuts give the same screen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::output::terminal::Terminal;

fn screen<'b>(chunks: impl Iterator<Item = &'b [u8]>) -> (Vec<Vec<u8>>, String) {
    let mut terminal = Terminal::new(1 << 16);
    let mut lines = Vec::new();
    for chunk in chunks {
        terminal.feed(chunk, |line| lines.push(line.to_vec()));
    }
    (lines, terminal.tail())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let cut = usize::from(cut).max(1);
    assert_eq!(screen(bytes.chunks(cut)), screen(std::iter::once(bytes)));
});
