//! Whole files: the documentation's own example, every kind of error, and mutations.

mod defaults;
mod document;
mod errors;
mod files;
mod mutations;
mod support;
mod warnings;
