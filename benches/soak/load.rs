//! Sends the requests, and judges what is answered of each device.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use showrunner::simulator::{Fault, Limit};

use crate::{
    draw::{Drawn, Form, HEALTHY, Plan, Request},
    fleet::Fleet,
    judge,
    service::{AUTHENTICATION, COMMAND, HANDSHAKE, PROMPT},
};

const LINES: usize = 200;
const LONGEST: Duration = Duration::from_secs(300);
/// Wrong answers that are told in full.
const MOST_TOLD: usize = 20;

/// What came of the sessions so far.
#[derive(Default)]
pub(crate) struct Tally {
    n_done: AtomicUsize,
    n_given_up: AtomicUsize,
    told: Mutex<Told>,
}

/// What was said.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) healthy: usize,
    pub(crate) harmed: usize,
    pub(crate) wrong: usize,
    /// Sessions with a fault, by its name.
    pub(crate) faults: BTreeMap<&'static str, usize>,
    /// Sessions by what the device or its first failed command was said to have.
    pub(crate) codes: BTreeMap<String, usize>,
    pub(crate) requests: BTreeMap<String, usize>,
    pub(crate) parsed: usize,
    /// The latest that a limit was kept, in milliseconds behind it, and by which fault.
    pub(crate) latest: (i64, &'static str),
    pub(crate) examples: Vec<String>,
}

impl Tally {
    pub(crate) fn done(&self) -> usize {
        self.n_done.load(Ordering::Relaxed)
    }

    pub(crate) fn given_up(&self) -> usize {
        self.n_given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    fn judge(&self, drawn: Drawn, form: Form, device: &Value) {
        let mut told = self.told.lock().unwrap();
        let code = device["error_code"].as_str().or_else(|| {
            let commands = device["commands"].as_array()?;
            commands.iter().find_map(|command| command["error_code"].as_str())
        });
        *told.codes.entry(code.unwrap_or("none").to_owned()).or_default() += 1;
        told.parsed += device["commands"]
            .as_array()
            .map_or(0, |all| all.iter().filter(|one| one["parsed"].is_array()).count());
        let wrong = match drawn {
            Drawn::Healthy(..) => {
                told.healthy += 1;
                let harm = harm(device);
                told.harmed += usize::from(harm.is_some());
                harm.map(|harm| format!("healthy device ({form:?}): {harm}"))
            }
            Drawn::Faulty(fault) => {
                *told.faults.entry(fault.name()).or_default() += 1;
                let late = lateness_ms(fault, device);
                if late.is_some_and(|late| late > told.latest.0) {
                    told.latest = (late.unwrap_or_default(), fault.name());
                }
                let wrong = judge::wrong(fault, device);
                told.wrong += usize::from(wrong.is_some());
                wrong.map(|wrong| format!("{} ({form:?}): {wrong}", fault.name()))
            }
        };
        if let Some(wrong) = wrong
            && told.examples.len() < MOST_TOLD
        {
            told.examples.push(wrong);
        }
        drop(told);
        self.n_done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends all requests, so many at a time.
pub(crate) fn run(
    plan: &Arc<Plan>,
    fleet: &Arc<Fleet>,
    port: u16,
    callers: usize,
    tally: &Arc<Tally>,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let client = reqwest::Client::builder().timeout(LONGEST).build().unwrap();
    runtime.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (plan, fleet, tally) = (Arc::clone(plan), Arc::clone(fleet), Arc::clone(tally));
            let (next, client) = (Arc::clone(&next), client.clone());
            running.spawn(async move {
                while let Some(request) = plan.requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    send(&client, port, request, &fleet, &tally).await;
                }
            });
        }
        running.join_all().await;
    });
}

async fn send(
    client: &reqwest::Client,
    port: u16,
    request: &Request,
    fleet: &Fleet,
    tally: &Tally,
) {
    let (accept, query) = match request.form {
        Form::Whole | Form::WholeParsed => ("application/json", ""),
        Form::Lines => ("application/x-ndjson", ""),
        Form::LinesOfCommands => ("application/x-ndjson", "?granularity=command"),
        Form::Events => ("text/event-stream", ""),
    };
    let url = format!("http://127.0.0.1:{port}/api/v1/execute{query}");
    let asking = async {
        let body = body(request, fleet);
        let response = client.post(url).header("Accept", accept).json(&body).send().await?;
        response.error_for_status()?.text().await
    };
    if let Some(millis) = request.given_up_after {
        let _ = tokio::time::timeout(Duration::from_millis(millis), asking).await;
        tally.n_given_up.fetch_add(request.devices.len(), Ordering::Relaxed);
        return;
    }
    let text = asking.await.unwrap_or_else(|error| panic!("a request failed: {error}"));
    *tally.told.lock().unwrap().requests.entry(format!("{:?}", request.form)).or_default() += 1;
    let results = results(request.form, &text, request.devices.len());
    for (drawn, device) in request.devices.iter().zip(&results) {
        tally.judge(*drawn, request.form, device);
    }
}

fn body(request: &Request, fleet: &Fleet) -> Value {
    let devices: Vec<Value> = request
        .devices
        .iter()
        .map(|drawn| {
            let (os, commands) = match drawn {
                Drawn::Healthy(kind, _) => {
                    let (os, verb) = HEALTHY[*kind];
                    (os, [format!("{verb} version"), format!("{verb} simulator lines {LINES}")])
                }
                // Outputs of the persona: made ones have no troubles in them.
                Drawn::Faulty(_) => {
                    ("cisco_ios", ["show version", "show clock"].map(str::to_owned))
                }
            };
            json!({
                "hostname": "127.0.0.1", "port": fleet.port(*drawn), "os": os,
                "username": "demo", "password": "demo",
                "commands": commands,
            })
        })
        .collect();
    let format = if request.form == Form::WholeParsed { "both" } else { "raw" };
    json!({"devices": devices, "commands": [], "timeout": COMMAND, "output_format": format})
}

/// The results of an answer in the order of its devices, whatever form it came in.
fn results(form: Form, text: &str, devices: usize) -> Vec<Value> {
    if matches!(form, Form::Whole | Form::WholeParsed) {
        let mut answer: Value = serde_json::from_str(text).expect("the answer is JSON");
        let Value::Array(results) = answer["results"].take() else { panic!("no results: {text}") };
        return results;
    }
    let mut results = vec![Value::Null; devices];
    let mut commands: Vec<Vec<Value>> = vec![Vec::new(); devices];
    let mut has_summary = false;
    for line in text.lines() {
        let line = line.strip_prefix("data:").unwrap_or(line).trim();
        if !line.starts_with('{') {
            continue;
        }
        let object: Value = serde_json::from_str(line).expect("a line is JSON");
        let index = || usize::try_from(object["index"].as_u64().unwrap()).unwrap();
        match object["type"].as_str() {
            Some("command") => commands[index()].push(object),
            Some("device") => {
                let index = index();
                results[index] = object;
            }
            _ => has_summary = true,
        }
    }
    assert!(has_summary, "a stream was broken off");
    if form == Form::LinesOfCommands {
        for (result, commands) in results.iter_mut().zip(commands) {
            result["commands"] = Value::Array(commands);
        }
    }
    results
}

/// What is wrong with the result of a device that has no fault.
fn harm(device: &Value) -> Option<String> {
    let commands = device["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [version, lines] = commands else {
        return Some(format!("{} commands, {}", commands.len(), device["error"]));
    };
    if device["success"] != true || version["success"] != true || lines["success"] != true {
        return Some(format!("{} {} {}", device["error"], version["error"], lines["error"]));
    }
    let text = lines["output"].as_str().unwrap_or_default();
    let in_order =
        text.lines().enumerate().all(|(at, line)| line.starts_with(&format!("{:08} ", at + 1)));
    let whole = in_order && text.lines().count() == LINES;
    (!whole).then(|| format!("{} lines of {LINES}", text.lines().count()))
}

/// How many milliseconds behind its limit a late device was given up.
fn lateness_ms(fault: Fault, device: &Value) -> Option<i64> {
    let timing = |name: &str| device["timing"][name].as_i64().unwrap_or_default();
    let limit = |seconds: u64| i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    let before = timing("resolve_ms") + timing("connect_ms");
    let took = device["duration_ms"].as_i64()?;
    match fault.verdict().limit {
        Limit::None => None,
        Limit::Handshake => Some(took - before - limit(HANDSHAKE)),
        Limit::Authentication => {
            Some(took - before - timing("handshake_ms") - limit(AUTHENTICATION))
        }
        Limit::Prompt => {
            let login = timing("handshake_ms") + timing("authenticate_ms");
            Some(took - before - login - limit(PROMPT))
        }
        Limit::Command => {
            let commands = device["commands"].as_array()?;
            let longest = commands.iter().filter_map(|one| one["duration_ms"].as_i64()).max()?;
            Some(longest - limit(COMMAND))
        }
    }
}
