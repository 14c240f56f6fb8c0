//! What the soak says at its end, and whether it passed.

use crate::{
    draw::Plan,
    load::Tally,
    watch::{Sample, Watched},
};

/// Memory after the run may be so much above that of the first tenth of it.
const MOST_GROWTH_KIB: i64 = 16 * 1024;
/// A limit is kept within this.
const LATEST_MS: i64 = 1000;

/// Prints the report; true if all is as it must be.
pub(crate) fn print(plan: &Plan, seconds: f64, tally: &Tally, watched: &Watched) -> bool {
    let told = tally.told();
    let Watched { before, during, after_idle } = watched;
    let done = tally.done();
    println!(
        "\n{done} sessions in {seconds:.0} s, {:.0} a second; {} of them with a fault; {} more in requests that their callers gave up",
        done as f64 / seconds,
        plan.faulty,
        tally.given_up()
    );
    println!("answers by form: {:?}; outputs with records: {}", told.requests, told.parsed);
    println!(
        "wrong verdicts: {}; healthy devices: {}, harmed: {}; latest behind its limit: {} ms ({})",
        told.wrong, told.healthy, told.harmed, told.latest.0, told.latest.1
    );
    for example in &told.examples {
        println!("  {example}");
    }
    println!("\n| `error_code` | sessions |\n| --- | --- |");
    for (code, sessions) in &told.codes {
        println!("| {code} | {sessions} |");
    }
    println!("\nfaults drawn: {:?}", told.faults);

    println!("\n| when | memory MiB | threads | descriptors | running | waiting |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let at = |part: usize| {
        let index = during.partition_point(|sample| sample.done * 100 < plan.sessions * part);
        during.get(index).or(during.last()).copied().unwrap_or_default()
    };
    let rows = [
        ("before", *before),
        ("10 %", at(10)),
        ("50 %", at(50)),
        ("100 %", during.last().copied().unwrap_or_default()),
        ("idle for 20 s", *after_idle),
    ];
    for (when, sample) in rows {
        println!(
            "| {when} | {:.1} | {} | {} | {} | {} |",
            sample.rss_kib as f64 / 1024.0,
            sample.threads,
            sample.descriptors,
            sample.running,
            sample.waiting
        );
    }
    let settled: Vec<&Sample> =
        during.iter().filter(|sample| sample.done * 5 >= plan.sessions).collect();
    println!(
        "\nslope of the last four fifths, per 10,000 sessions: memory {:+.2} MiB, threads {:+.2}, descriptors {:+.2}",
        slope(&settled, |sample| sample.rss_kib as f64 / 1024.0),
        slope(&settled, |sample| sample.threads as f64),
        slope(&settled, |sample| sample.descriptors as f64)
    );
    let mut health: Vec<_> = during.iter().map(|sample| sample.health).collect();
    health.sort_unstable();
    println!(
        "/health meanwhile: median {:.1} ms, p99 {:.1} ms, worst {:.1} ms of {} calls",
        millis(&health, 50),
        millis(&health, 99),
        millis(&health, 100),
        health.len()
    );
    println!("VmRSS in MiB, in tenths of the run: {}", tenths(plan, during));

    let signed = |kib: u64| i64::try_from(kib).unwrap_or(i64::MAX);
    let checks = [
        ("all verdicts right", told.wrong == 0),
        ("no healthy device harmed", told.harmed == 0 && told.healthy > 0),
        ("every session answered", done == plan.sessions),
        ("limits kept within a second", told.latest.0 <= LATEST_MS),
        ("no session left", (after_idle.running, after_idle.waiting) == (0, 0)),
        ("no thread left", after_idle.threads <= before.threads + 1),
        ("no descriptor left", after_idle.descriptors <= before.descriptors + 2),
        ("memory flat", signed(after_idle.rss_kib) - signed(at(50).rss_kib) <= MOST_GROWTH_KIB),
    ];
    println!();
    for (what, holds) in checks {
        println!("{} {what}", if holds { "ok    " } else { "FAILED" });
    }
    checks.iter().all(|(_, holds)| *holds)
}

/// By least squares, for 10,000 sessions.
fn slope(samples: &[&Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let n = samples.len() as f64;
    let x = |sample: &Sample| sample.done as f64 / 10_000.0;
    let mean_x = samples.iter().map(|sample| x(sample)).sum::<f64>() / n;
    let mean_y = samples.iter().map(|sample| of(sample)).sum::<f64>() / n;
    let over: f64 = samples.iter().map(|sample| (x(sample) - mean_x) * (of(sample) - mean_y)).sum();
    let under: f64 = samples.iter().map(|sample| (x(sample) - mean_x).powi(2)).sum();
    over / under
}

fn millis(sorted: &[std::time::Duration], part: usize) -> f64 {
    let at = sorted.len().saturating_sub(1) * part / 100;
    sorted.get(at).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
}

fn tenths(plan: &Plan, during: &[Sample]) -> String {
    let words: Vec<String> = (0..10)
        .map(|tenth| {
            let (from, to) = (plan.sessions * tenth / 10, plan.sessions * (tenth + 1) / 10);
            let part: Vec<u64> = during
                .iter()
                .filter(|sample| (from..to).contains(&sample.done))
                .map(|sample| sample.rss_kib / 1024)
                .collect();
            let mean = part.iter().sum::<u64>() / u64::try_from(part.len().max(1)).unwrap_or(1);
            mean.to_string()
        })
        .collect();
    words.join(" ")
}
