//! OpenSSH's client configuration (`ssh_config`): which values a host gets, and over which hosts the way to it leads.
//!
//! A file becomes a list of steps, and a host walks through them: the first value of a keyword goes, as with OpenSSH.
//! Nothing is run and no file is opened here; whoever reads a file hands in what it includes.

mod keywords;
mod lookup;
mod paths;
mod reader;
mod value;
mod words;

pub use self::{
    lookup::{HostValues, JumpHost, NoWay, Proxy},
    paths::FilePath,
    reader::{ConfigError, Include, SshConfig},
};

#[cfg(test)]
mod tests;
