//! Showrunner runs read-only show commands on network devices for anyone who can send an HTTP POST.
//!
//! The way of the data, one type a step: HTTP body → [`wire::request`] → [`plan::Plan`] → [`ssh::session`] →
//! [`outcome::DeviceOutcome`] → [`wire::response`]. `docs/architecture.md` has the picture and the rooms' order.

pub mod access;
pub mod allowance;
pub mod audit;
pub mod catalog;
pub mod certificate;
pub mod cli;
pub mod codes;
pub mod command;
pub mod config_tree;
pub mod credential;
pub mod deadline;
pub mod device;
pub mod executor;
pub mod host_key;
pub mod host_pattern;
pub mod http;
pub mod jump;
pub mod live;
pub mod metrics;
pub mod outcome;
pub mod output;
pub mod plan;
pub mod platform;
pub mod profile;
pub mod secret;
pub mod secret_store;
pub mod settings;
pub mod simulator;
pub mod ssh;
pub mod ssh_config;
pub mod ssh_policy;
pub mod startup;
pub mod target;
pub mod telemetry;
pub mod textfsm;
pub mod tls;
pub mod traces;
pub mod wire;
