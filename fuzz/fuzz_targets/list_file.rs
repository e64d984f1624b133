//! The reader of allow and deny lists.

#![no_main]
#![allow(dead_code, unused_imports, reason = "a module of another crate, of which this needs a part")]

#[path = "../../edge/src/cidr/mod.rs"]
mod cidr;

use libfuzzer_sys::fuzz_target;

use cidr::{Cidr, ListUse, read_list};

fuzz_target!(|text: &str| {
    for list_use in [ListUse::Allow, ListUse::Deny] {
        let list = read_list(text, list_use);
        assert!(list.cidrs.is_sorted());
        let written: Vec<String> = list.cidrs.iter().map(Cidr::to_string).collect();
        let again = read_list(&written.join("\n"), list_use);
        assert_eq!(again.cidrs, list.cidrs);
        assert!(again.errors.is_empty() && again.warnings.is_empty());
    }
});
