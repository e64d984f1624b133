//! The commands of `edge`: one file each, which prints and ends, and decides nothing.
//!
//! Whatever can be decided lives below, in planes that have tests of their own. Exit codes: 0 done,
//! 1 the machine did not let it be done, 2 the configuration or the command line is wrong.

mod address;
mod arguments;
mod ban;
mod bans;
mod care;
mod check;
mod config;
mod failure;
mod file;
mod import;
mod keeper;
mod lists;
mod logging;
mod maintenance;
mod output;
mod passwd;
mod reload;
mod routes;
mod run;
mod shield;
mod socket;
mod status;
mod table;
mod top;
mod unban;

pub use arguments::main;
